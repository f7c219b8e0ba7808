// Walks in arenas of about 50 bots: their frames never go back, and the last one shows where this bot went last.
#include "client/bots/bot.hpp"
#include "modules/arena/messages.hpp"

namespace gs::bots {

namespace {

constexpr std::size_t arena_players = 50;

class ArenaScenario final : public Scenario {
public:
    explicit ArenaScenario(Bot& bot)
        : bot_{bot},
          arena_{fmt::format("bots-{}-{}", bot.run().name,
                             bot.index() % std::max<std::size_t>(1, bot.run().options.count / arena_players))} {
        bot_.on<arena::Frame>([this](const arena::Frame& frame) { see(frame); });
    }

    asio::awaitable<void> begin() override { co_await enter(); }

    asio::awaitable<void> act() override {
        if (!inside_) {
            co_await enter();
        } else {
            co_await walk();
        }
    }

    [[nodiscard]] bool settled() const override { return !inside_ || (seen_.x == x_ && seen_.y == y_); }

    void finish() override {
        if (settled() || bot_.survives()) return;
        bot_.fail("arena: it went to {}, {} and the last frame shows it at {}, {}", x_, y_, seen_.x, seen_.y);
    }

    // Its arena may be in another game role now, with frames of its own.
    void resumed(bool /*gap*/) override { inside_ = false; }
    void lost() override { inside_ = false; }

private:
    asio::awaitable<void> enter() {
        arena::Enter message;
        message.arena = arena_;
        const auto entered = co_await bot_.request(std::move(message));
        if (!entered) {
            bot_.judge(entered.error(), "enter an arena");
            co_return;
        }
        inside_ = true;
        last_frame_ = 0;
        width_ = entered->width;
        for (const auto& place : entered->places) {
            if (place.player == bot_.card().player) seen_ = place;
        }
        x_ = seen_.x;
        y_ = seen_.y;
    }

    asio::awaitable<void> walk() {
        arena::Walk message;
        message.x = static_cast<std::uint32_t>(bot_.random(width_));
        message.y = static_cast<std::uint32_t>(bot_.random(width_));
        const auto walked = co_await bot_.request(message);
        if (!walked) {
            bot_.judge(walked.error(), "walk");
            co_return;
        }
        x_ = message.x;
        y_ = message.y;
    }

    void see(const arena::Frame& frame) {
        if (!inside_ || frame.arena != arena_) return;
        if (frame.number <= last_frame_ && !bot_.survives())
            bot_.fail("arena: frame {} came after frame {}", frame.number, last_frame_);
        last_frame_ = frame.number;
        for (const auto& place : frame.places) {
            if (place.player == bot_.card().player) seen_ = place;
        }
    }

    Bot& bot_;
    std::string arena_;
    arena::Place seen_;
    std::uint64_t last_frame_ = 0;
    std::uint32_t x_ = 0, y_ = 0, width_ = 1;
    bool inside_ = false;
};

}  // namespace

std::unique_ptr<Scenario> make_arena(Bot& bot) { return std::make_unique<ArenaScenario>(bot); }

}  // namespace gs::bots
