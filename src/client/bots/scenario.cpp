#include "client/bots/scenario.hpp"

#include <algorithm>
#include <array>

namespace gs::bots {

std::span<const ScenarioInfo> scenarios() {
    static constexpr std::array<ScenarioInfo, 7> table{{
        {"echo", "texts that must come back as they were sent", &make_echo},
        {"chat", "lines in channels of 50 and whispers: each once, in order, none missing", &make_chat},
        {"profile", "unique nicknames, and a counter in the motto that must never go back", &make_profile},
        {"mixed", "echo, chat and profile, at random", &make_mixed},
        {"trade",
         "gold to neighbours, and payments (the server needs module.trade.test_payments); for an audit afterwards",
         &make_trade},
        {"arena", "walks in arenas of 50: frames go on, and show at last where each bot went", &make_arena},
        {"whisper", "numbered whispers to the next bot: each once, in order, none missing", &make_whisper},
    }};
    return table;
}

const ScenarioInfo* find_scenario(std::string_view name) {
    const auto all = scenarios();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& scenario) { return scenario.name == name; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace gs::bots
