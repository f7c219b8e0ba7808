#include "api/tls_files.hpp"

#include <fstream>

namespace gs {

namespace {

std::string text_of(const std::filesystem::path& name) {
    std::ifstream file{name};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

TlsFiles::TlsFiles(Metrics& metrics, Role role)
    : expires_{metrics.gauge(fmt::format("gameserver_{}_certificate_expires_seconds", to_string(role)),
                             "when the TLS certificate ends, in seconds since 1970; 0: there is none")} {}

Result<void> TlsFiles::load(std::filesystem::path chain, std::filesystem::path key) {
    chain_ = std::move(chain);
    key_ = std::move(key);
    return read();
}

bool TlsFiles::reload_changed() {
    if (certificate_ == nullptr || stamp() == read_) return false;
    const auto loaded = read();
    if (loaded) {
        log::info("the TLS certificate {} was read again", chain_.string());
    } else {
        log::error("the TLS certificate stays as it was: {}", loaded.error().message());
    }
    return loaded.has_value();
}

TlsFiles::Stamp TlsFiles::stamp() const {
    std::error_code ignored;
    return {std::filesystem::last_write_time(chain_, ignored), std::filesystem::last_write_time(key_, ignored)};
}

Result<void> TlsFiles::read() {
    read_ = stamp();
    auto chain = text_of(chain_);
    auto key = text_of(key_);
    auto loaded = transport::load_tls_certificate(chain_, key_);
    if (!loaded) return loaded.error();
    const auto expires = (*loaded)->expires();
    if (expires <= std::chrono::system_clock::now()) return Error{Code::invalid, "{} has expired", chain_.string()};
    if (stamp() != read_) {
        read_ = {};  // what was checked may not be what was read
        return Error{Code::unavailable, "{} changed while it was read", chain_.string()};
    }
    certificate_ = std::move(*loaded);
    chain_text_ = std::move(chain);
    key_text_ = std::move(key);
    expires_.set(std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count());
    return {};
}

}  // namespace gs
