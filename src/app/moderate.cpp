#include "app/moderate.hpp"

#include <charconv>
#include <iostream>

#include "app/order.hpp"
#include "session/messages.hpp"
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

/// Each game answers for itself; when one refuses, the others have begun all the same.
runtime::Task<> tell_games(Node& node, Exchange exchange, session::LogCalls order) {
    auto bus = node.operators_bus();
    std::vector<std::string> names;
    std::vector<runtime::Future<Result<Done>>> answers;
    for (const auto& instance : node.home_bus().instances()) {
        if (instance.address.role != Role::game) continue;
        names.push_back(instance.node);
        answers.push_back(bus.call(instance.address, order));
    }
    auto code = Code::unavailable;
    std::string refusals{names.empty() ? "no game is connected right now" : ""};
    for (std::size_t index = 0; index < answers.size(); ++index) {
        auto asked = std::move(answers[index]);
        auto answer = co_await std::move(asked);
        if (answer) continue;
        code = answer.error().code();
        refusals += fmt::format("{}{}: {}", refusals.empty() ? "" : "; ", names[index], answer.error().message());
    }
    if (!refusals.empty()) {
        exchange->reply(http::json_error(code, refusals));
        co_return;
    }
    http::HttpResponse response;
    response.body = to_json(LogCallsAnswer{names.size()});
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
    server.route("POST", "/v1/log-calls", home, [&node, &tasks](Exchange exchange) {
        auto request = order_of<LogCallsRequest>(exchange->request());
        if (!request.seconds) throw Error{Code::invalid, "\"seconds\" is missing; 0 ends it"};
        session::LogCalls order;
        order.whom = std::move(request.whom);
        order.seconds = *request.seconds;
        tasks.spawn(tell_games(node, std::move(exchange), std::move(order)), "log calls");
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

int log_calls(const RunOptions& config, const AdminOptions& options, const LogCallsOptions& order) {
    return run([&] {
        const auto named = (order.player.empty() ? 0 : 1) + (order.module.empty() ? 0 : 1) + (order.all ? 1 : 0);
        if (named > 1) throw Error{Code::invalid, "say one of --player, --module and --all"};
        if (named == 0 && !order.off)
            throw Error{Code::invalid, "whose requests? Say --player NUMBER, --module NAME or --all"};
        if (order.duration.empty()) throw Error{Code::invalid, "--for says how long: 90s, 30m or 12h"};
        LogCallsRequest request{"all", order.off ? 0 : seconds_of(order.duration)};
        if (!order.player.empty()) request.whom = session::ban_of_player(player_of(order.player));
        if (!order.module.empty()) request.whom = "module:" + order.module;
        const auto answer = ask_cluster(config, options, "POST", "/v1/log-calls", to_json(request));
        if (!answer) return complain(answer.error());
        const auto games = from_json<LogCallsAnswer>(*answer).value().games;
        const auto where = fmt::format("{} game{}", games, games == 1 ? "" : "s");
        std::cout << (order.off ? fmt::format("requests of {} are not logged any more, in {}\n", request.whom, where)
                                : fmt::format("requests of {} are logged for {}, in {}\n", request.whom, order.duration,
                                              where));
        return exit_stopped;
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
