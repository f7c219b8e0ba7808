// Echo, chat and profile at once; each action is one of theirs at random.
#include <algorithm>

#include "client/bots/bot.hpp"

namespace gs::bots {

namespace {

class MixedScenario final : public Scenario {
public:
    explicit MixedScenario(Bot& bot) : bot_{bot} {
        parts_.push_back(make_echo(bot));
        parts_.push_back(make_chat(bot));
        parts_.push_back(make_profile(bot));
    }

    asio::awaitable<void> begin() override {
        for (const auto& part : parts_) co_await part->begin();
    }
    asio::awaitable<void> act() override {
        auto& part = *parts_[bot_.random(parts_.size())];
        co_await part.act();
    }
    [[nodiscard]] bool settled() const override {
        return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->settled(); });
    }
    void finish() override {
        for (const auto& part : parts_) part->finish();
    }
    void resumed(bool gap) override {
        for (const auto& part : parts_) part->resumed(gap);
    }
    void lost() override {
        for (const auto& part : parts_) part->lost();
    }

private:
    Bot& bot_;
    std::vector<std::unique_ptr<Scenario>> parts_;
};

}  // namespace

std::unique_ptr<Scenario> make_mixed(Bot& bot) { return std::make_unique<MixedScenario>(bot); }

}  // namespace gs::bots
