#include "roles/game/call_log.hpp"

#include "api/module.hpp"

namespace gs::game {

namespace {

constexpr std::string_view player_prefix = "player:";
constexpr std::string_view module_prefix = "module:";
constexpr std::string_view everybody = "all";

std::optional<PlayerId> player_of(const std::string& whom) {
    if (!whom.starts_with(player_prefix)) return {};
    return session::player_number(whom.substr(player_prefix.size()));
}

}  // namespace

CallLog::CallLog(cluster::RoleBus bus, std::span<const ModuleInfo* const> modules, bool always)
    : always_{always}, is_on_{always}, all_{always}, ends_{bus.loop()} {
    for (const auto* module : modules) known_modules_.emplace(module->name);
    bus.on<session::LogCalls>([this](const cluster::Envelope&, const session::LogCalls& order) {
        obey(order);
        return Done{};
    });
}

void CallLog::obey(const session::LogCalls& order) {
    const auto& whom = order.whom;
    const auto player = player_of(whom);
    const bool is_module = whom.starts_with(module_prefix);
    if (!player && !is_module && whom != everybody)
        throw Error{Code::invalid, "\"{}\" is nobody whose requests can be logged: say player:51, module:NAME or all",
                    whom};
    if (is_module && !known_modules_.contains(whom.substr(module_prefix.size())))
        throw Error{Code::not_found, "there is no module \"{}\"", whom.substr(module_prefix.size())};
    if (order.seconds < 0 || order.seconds > seconds_max)
        throw Error{Code::invalid, "seconds: 1 to {}, or 0 to end it", seconds_max};
    if (order.seconds == 0) return whom == everybody ? end_all() : end(whom);
    if (player && !players_.contains(*player) && players_.size() >= players_max)
        throw Error{Code::limited, "the requests of {} players are logged already; end some of them first",
                    players_max};
    begin(whom);
    ends_.cancel(whom);
    ends_.after(whom, std::chrono::seconds{order.seconds}, [this, whom] { end(whom); });
    log::info("requests of {} are logged for {} s", whom, order.seconds);
}

void CallLog::begin(const std::string& whom) {
    is_on_ = true;
    if (const auto player = player_of(whom)) {
        players_.insert(*player);
    } else if (whom == everybody) {
        all_ = true;
    } else {
        modules_.insert(whom.substr(module_prefix.size()));
    }
}

/// By its timer, or before.
void CallLog::end(const std::string& whom) {
    const auto named = whom;  // the timer, which may own it, goes now
    ends_.cancel(named);
    if (const auto player = player_of(named)) {
        players_.erase(*player);
    } else if (named == everybody) {
        all_ = always_;
    } else {
        modules_.erase(named.substr(module_prefix.size()));
    }
    is_on_ = all_ || !players_.empty() || !modules_.empty();
    log::info("requests of {} are not logged any more", named);
}

void CallLog::end_all() {
    ends_.cancel_all();
    players_.clear();
    modules_.clear();
    is_on_ = all_ = always_;
    log::info("{}", always_ ? "all requests are logged, as game.log_calls says" : "no requests are logged any more");
}

}  // namespace gs::game
