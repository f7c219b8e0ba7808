#include "session/moderation.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace gs::session {

namespace {

constexpr std::size_t device_bytes_max = 128;

}  // namespace

std::optional<PlayerId> player_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (wrong != std::errc{} || end != text.data() + text.size() || number == 0 || text.front() == '0') return {};
    return PlayerId{number};
}

std::string canonical_address(const std::string& text) {
    in_addr four{};
    in6_addr six{};
    std::array<char, INET6_ADDRSTRLEN> written{};
    if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return text;
    if (::inet_pton(AF_INET6, text.c_str(), &six) != 1) return {};
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        ::inet_ntop(AF_INET, &six.s6_addr[12], written.data(), written.size());
    } else {
        ::inet_ntop(AF_INET6, &six, written.data(), written.size());
    }
    return written.data();
}

std::string address_block(const std::string& address) {
    in6_addr six{};
    if (::inet_pton(AF_INET6, address.c_str(), &six) != 1) return address;
    std::fill(std::begin(six.s6_addr) + 8, std::end(six.s6_addr), 0);
    std::array<char, INET6_ADDRSTRLEN> written{};
    ::inet_ntop(AF_INET6, &six, written.data(), written.size());
    return written.data();
}

Result<std::string> canonical_ban(const std::string& whom) {
    const auto value = whom.substr(std::min(whom.size(), whom.find(':') + 1));
    if (whom.starts_with("player:") && player_number(value)) return whom;
    if (whom.starts_with("device:") && !value.empty() && value.size() <= device_bytes_max) return whom;
    if (whom.starts_with("address:")) {
        const auto address = canonical_address(value);
        if (!address.empty()) return ban_of_address(address);
    }
    return Error{Code::invalid,
                 "\"{}\" is nobody who can be banned: say player:51, address:192.0.2.1 (one address, without a port) "
                 "or device:NAME",
                 whom};
}

std::string ban_text(const Ban& ban) {
    std::string text = "banned";
    if (ban.until != 0) {
        const auto seconds = static_cast<std::time_t>(ban.until);
        std::tm end{};
        if (::gmtime_r(&seconds, &end) == nullptr) return text;
        text += fmt::format(" until {:04}-{:02}-{:02} {:02}:{:02} UTC", end.tm_year + 1900, end.tm_mon + 1, end.tm_mday,
                            end.tm_hour, end.tm_min);
    }
    return ban.reason.empty() ? text : fmt::format("{}: {}", text, ban.reason);
}

}  // namespace gs::session
