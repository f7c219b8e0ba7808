#include "client/bots/ledger.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/json_tree.hpp"

#include "base/error.hpp"

namespace gs::bots {

namespace {
constexpr std::size_t unwritten_bytes_max = 1U << 20U;
}  // namespace

Ledger::Ledger(std::string file) : name_{std::move(file)} {
    if (name_.empty()) return;
    file_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) throw Error{Code::invalid, "cannot write the ledger {}: {}", name_, std::strerror(errno)};
}

Ledger::~Ledger() {
    if (file_ >= 0) ::close(file_);
}

void Ledger::add(const LedgerEntry& entry) {
    if (file_ < 0) return;
    const nlohmann::ordered_json line{{"player", fmt::format("{}", entry.player)},
                                      {"confirmed", entry.confirmed},
                                      {"attempted", entry.attempted},
                                      {"nickname", entry.nickname}};
    add_line(line.dump());
}

void Ledger::add_line(std::string_view json) {
    if (file_ < 0) return;
    lines_ += json;
    lines_ += '\n';
    if (lines_.size() > unwritten_bytes_max) flush();
}

void Ledger::flush() {
    std::string_view left = lines_;
    while (file_ >= 0 && !left.empty()) {
        const auto written = ::write(file_, left.data(), left.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw Error{Code::invalid, "cannot write the ledger {}: {}", name_, std::strerror(errno)};
        left.remove_prefix(static_cast<std::size_t>(written));
    }
    lines_.clear();
}

void Ledger::sync() {
    flush();
    if (file_ >= 0) ::fsync(file_);
}

}  // namespace gs::bots
