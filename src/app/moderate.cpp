#include "app/moderate.hpp"

#include <charconv>
#include <iostream>

#include "app/order.hpp"
#include "session/moderation.hpp"

namespace gs::app {

namespace {

using Exchange = std::shared_ptr<http::HttpExchange>;

template <class Call>
runtime::Task<> pass_on(Node& node, Exchange exchange, Call call) {
    auto bus = node.operators_bus();
    const auto center = bus.any(Role::center);
    if (!center) {
        exchange->reply(http::json_error(center.error().code(), center.error().message()));
        co_return;
    }
    auto answer = co_await bus.call(*center, std::move(call));
    if (!answer) {
        exchange->reply(http::json_error(answer.error().code(), answer.error().message()));
        co_return;
    }
    http::HttpResponse response;
    response.body = to_json(*answer);
    exchange->reply(std::move(response));
}

constexpr std::int64_t seconds_max = std::int64_t{100} * 365 * 86'400;

PlayerId player_of(const std::string& text) {
    std::uint64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (wrong != std::errc{} || end != text.data() + text.size() || number == 0)
        throw Error{Code::invalid, "\"{}\" is not a player's number", text};
    return PlayerId{number};
}

/// "90s", "30m", "12h", "7d"; 0: for ever.
std::int64_t seconds_of(const std::string& text) {
    if (text.empty()) return 0;
    static constexpr std::string_view units = "smhd";
    static constexpr std::array<std::int64_t, 4> seconds{1, 60, 3600, 86'400};
    std::int64_t number = 0;
    const auto* last = text.data() + text.size() - 1;
    const auto [end, wrong] = std::from_chars(text.data(), last, number);
    const auto unit = units.find(*last);
    if (wrong != std::errc{} || end != last || number <= 0 || number > 100'000 || unit == std::string_view::npos)
        throw Error{Code::invalid, "\"{}\" is not a time: write 90s, 30m, 12h or 7d", text};
    return number * seconds.at(unit);
}

/// A number is a player.
std::string whom_of(const std::string& text) {
    const bool is_number = text.find_first_not_of("0123456789") == std::string::npos;
    return is_number ? session::ban_of_player(player_of(text)) : text;
}

int tell(const RunOptions& config, const AdminOptions& options, const std::string& path, const std::string& body,
         const std::string& done) {
    const auto answer = ask_cluster(config, options, "POST", path, body);
    if (!answer) return complain(answer.error());
    std::cout << done << "\n";
    return exit_stopped;
}

template <class Work>
int run(Work work) {
    try {
        return work();
    } catch (const Error& error) {
        return complain(error);
    }
}

}  // namespace

void add_moderation_routes(http::HttpServer& server, Node& node, const http::Executor& home, runtime::Tasks& tasks) {
    server.route("POST", "/v1/kick", home, [&node, &tasks](Exchange exchange) {
        auto request = order_of<KickRequest>(exchange->request());
        session::KickPlayer order;
        order.player = player_of(request.player);
        order.reason = std::move(request.reason);
        tasks.spawn(pass_on(node, std::move(exchange), std::move(order)), "kick");
    });
    server.route("POST", "/v1/ban", home, [&node, &tasks](Exchange exchange) {
        auto request = order_of<BanRequest>(exchange->request());
        session::PutBan order;
        order.ban.whom = std::move(request.whom);
        order.ban.reason = std::move(request.reason);
        if (request.seconds < 0 || request.seconds > seconds_max)
            throw Error{Code::invalid, "seconds: 0 (for ever), or up to 100 years"};
        const auto now = node.home_bus().loop().wall_now().time_since_epoch();
        if (request.seconds > 0)
            order.ban.until = std::chrono::duration_cast<std::chrono::seconds>(now).count() + request.seconds;
        tasks.spawn(pass_on(node, std::move(exchange), std::move(order)), "ban");
    });
    server.route("POST", "/v1/unban", home, [&node, &tasks](Exchange exchange) {
        session::LiftBan order;
        order.whom = order_of<UnbanRequest>(exchange->request()).whom;
        tasks.spawn(pass_on(node, std::move(exchange), std::move(order)), "unban");
    });
    server.route("GET", "/v1/bans", home, [&node, &tasks](Exchange exchange) {
        tasks.spawn(pass_on(node, std::move(exchange), session::ListBans{}), "bans");
    });
}

int kick_player(const RunOptions& config, const AdminOptions& options, const ModerationOptions& order) {
    return run([&] {
        const KickRequest request{fmt::format("{}", player_of(order.whom)), order.reason};
        return tell(config, options, "/v1/kick", to_json(request),
                    fmt::format("player {} was sent away; its session is over, and it may log in again", order.whom));
    });
}

int ban(const RunOptions& config, const AdminOptions& options, const ModerationOptions& order) {
    return run([&] {
        const BanRequest request{whom_of(order.whom), order.reason, seconds_of(order.duration)};
        const auto how_long = order.duration.empty() ? std::string{"for ever"} : "for " + order.duration;
        return tell(config, options, "/v1/ban", to_json(request),
                    fmt::format("{} is banned {}, and sent away where it plays", request.whom, how_long));
    });
}

int unban(const RunOptions& config, const AdminOptions& options, const ModerationOptions& order) {
    return run([&] {
        const UnbanRequest request{whom_of(order.whom)};
        return tell(config, options, "/v1/unban", to_json(request), fmt::format("{} may play again", request.whom));
    });
}

int list_bans(const RunOptions& config, const AdminOptions& options) {
    return run([&] {
        const auto answer = ask_cluster(config, options, "GET", "/v1/bans", {});
        if (!answer) return complain(answer.error());
        const auto list = from_json<session::Bans>(*answer).value();
        for (const auto& one : list.bans) std::cout << one.whom << "  " << session::ban_text(one) << "\n";
        if (list.bans.empty()) std::cout << "nobody is banned\n";
        return exit_stopped;
    });
}

}  // namespace gs::app
