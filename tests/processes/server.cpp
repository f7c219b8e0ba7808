#include "tests/processes/server.hpp"

#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <stdexcept>

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include "base/json_tree.hpp"

#include "http/client.hpp"

namespace gs::test {

namespace {

constexpr std::uint16_t first_port = 20'000, last_port = 32'000;

bool can_listen(std::uint16_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool bound = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::close(descriptor);
    return bound;
}

std::uint64_t counter_of(const std::string& motto) {
    if (motto.empty()) return 0;
    if (!motto.starts_with("n=")) throw std::runtime_error{"not a motto of a bot: " + motto};
    return std::stoull(motto.substr(2));
}

}  // namespace

std::uint16_t free_port() {
    // Other test programs of this machine begin elsewhere.
    static auto next = static_cast<std::uint16_t>(first_port + ::getpid() * 16 % (last_port - first_port));
    for (int tries = 0; tries < last_port - first_port; ++tries) {
        next = next >= last_port ? first_port : static_cast<std::uint16_t>(next + 1);
        if (can_listen(next)) return next;
    }
    throw std::runtime_error{"no port is free"};
}

Answer http_get(const std::string& url) {
    http::HttpClient client;
    const auto response = client.fetch({.method = "GET", .url = url});
    if (!response) return {};
    return {static_cast<unsigned>(response->status), response->body};
}

std::vector<std::string> Server::words(const std::filesystem::path& data_directory, std::uint16_t gateway,
                                       std::uint16_t login, std::uint16_t admin) {
    return {GS_BINARY,    "--roles=all",
            "--data-dir", data_directory.string(),
            "--set",      fmt::format("gateway.tcp.address=127.0.0.1:{}", gateway),
            "--set",      fmt::format("login.http.address=127.0.0.1:{}", login),
            "--set",      fmt::format("admin.address=127.0.0.1:{}", admin)};
}

Server::Server(const std::filesystem::path& data_directory, const std::vector<std::string>& more)
    : command_{words(data_directory, gateway_, login_, admin_)} {
    command_.insert(command_.end(), more.begin(), more.end());
    process_ = std::make_unique<Process>(command_);
    process_->wait_line("is ready");
}

void Server::kill_and_start_again() {
    process_->send_signal(SIGKILL);
    process_->wait_exit();
    process_ = std::make_unique<Process>(command_);
    process_->wait_line("is ready");
}

std::string Server::gateway() const { return fmt::format("127.0.0.1:{}", gateway_); }
std::string Server::login_url() const { return fmt::format("http://127.0.0.1:{}", login_); }
std::string Server::admin_url() const { return fmt::format("http://127.0.0.1:{}", admin_); }

std::vector<std::string> bots(const std::string& login_url, const std::string& report,
                              const std::vector<std::string>& more) {
    std::vector<std::string> words{GS_BINARY, "bots", "--login", login_url, "--json", report};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

std::map<std::string, double> read_report(const std::string& file) {
    std::ifstream stream{file};
    std::map<std::string, double> numbers;
    const auto report = parse_json(std::string{std::istreambuf_iterator<char>{stream}, {}});
    for (const auto& [name, value] : report.items()) {
        if (value.is_number()) numbers[name] = value.get<double>();
    }
    return numbers;
}

std::map<std::uint64_t, LedgerEntry> read_ledger(const std::string& file) {
    std::map<std::uint64_t, LedgerEntry> players;
    std::ifstream stream{file};
    for (std::string line; std::getline(stream, line);) {
        const auto entry = parse_json_or_discard(line);
        if (entry.is_discarded()) break;  // the bots are writing it
        auto& player = players[std::stoull(entry.at("player").get<std::string>())];
        entry.at("confirmed").get_to(player.confirmed);
        entry.at("attempted").get_to(player.attempted);
        entry.at("nickname").get_to(player.nickname);
    }
    return players;
}

std::map<std::uint64_t, StoredProfile> read_profiles(const std::string& file) {
    sqlite3* opened = nullptr;
    const auto failed = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database{opened, &sqlite3_close};
    if (failed != SQLITE_OK) throw std::runtime_error{"cannot open " + file};
    const auto take = [](void* to, int /*count*/, char** values, char** /*names*/) {
        const auto data = parse_json(values[1]);
        auto& profiles = *static_cast<std::map<std::uint64_t, StoredProfile>*>(to);
        profiles[std::stoull(values[0])] = {data.at("nickname").get<std::string>(),
                                            counter_of(data.at("motto").get<std::string>())};
        return 0;
    };
    std::map<std::uint64_t, StoredProfile> profiles;
    const auto* query = "SELECT id, data FROM component WHERE kind = 'player' AND name = 'profile'";
    if (sqlite3_exec(database.get(), query, take, &profiles, nullptr) != SQLITE_OK) {
        throw std::runtime_error{fmt::format("{}: {}", file, sqlite3_errmsg(database.get()))};
    }
    return profiles;
}

void check_ledger(const std::string& ledger_file, const std::string& database_file) {
    const auto ledger = read_ledger(ledger_file);
    const auto profiles = read_profiles(database_file);
    REQUIRE_FALSE(ledger.empty());
    for (const auto& [player, entry] : ledger) {
        const auto stored = profiles.contains(player) ? profiles.at(player) : StoredProfile{};
        INFO("player " << player);
        CHECK(stored.counter >= entry.confirmed);
        CHECK(stored.counter <= entry.attempted);
        if (!entry.nickname.empty()) CHECK(stored.nickname == entry.nickname);
    }
    std::set<std::string> nicknames;
    for (const auto& [player, profile] : profiles) {
        INFO("player " << player << " has the nickname " << profile.nickname << ", and another has it too");
        CHECK((profile.nickname.empty() || nicknames.insert(profile.nickname).second));
    }
}

std::string sqlite_shell(const std::string& file, const std::string& query) {
    const auto shell = run({"sqlite3", file, query});
    INFO(shell.output);
    REQUIRE(shell.code == 0);
    return shell.output.substr(0, shell.output.find_last_not_of('\n') + 1);
}

}  // namespace gs::test
