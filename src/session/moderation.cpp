#include "session/moderation.hpp"

#include <ctime>

namespace gs::session {

std::string ban_text(const Ban& ban) {
    std::string text = "banned";
    if (ban.until != 0) {
        const auto seconds = static_cast<std::time_t>(ban.until);
        std::tm end{};
        ::gmtime_r(&seconds, &end);
        text += fmt::format(" until {:04}-{:02}-{:02} {:02}:{:02} UTC", end.tm_year + 1900, end.tm_mon + 1, end.tm_mday,
                            end.tm_hour, end.tm_min);
    }
    return ban.reason.empty() ? text : fmt::format("{}: {}", text, ban.reason);
}

}  // namespace gs::session
