// What bots do in arenas in the simulator, and what must hold whatever fails: where a player went is seen by it at last.
#include "modules/arena/messages.hpp"
#include "tests/sim/bot.hpp"
#include "tests/sim/command_line.hpp"

namespace {

using gs::sim::Bot;

class ArenaScript final : public gs::sim::Script {
public:
    explicit ArenaScript(Bot& bot) : bot_{bot} {}

    // Where it stands is stored now and then only: who comes back after a gap may stand where it stood before.
    void on_entered() override { where_.reset(); }
    void on_gap() override { where_.reset(); }
    void on_left() override { where_.reset(); }

    void act() override {
        if (proves_) return;  // it stands and waits until it is seen
        const auto draw = bot_.random().between(0, 9);
        if (draw < 6) {
            walk();
        } else if (draw < 9) {
            enter([](bool) {});
        } else {
            bot_.request(arena::Leave{}, [this](const gs::Result<gs::Done>& /*answer*/) { where_.reset(); });
        }
    }

    void on_push(gs::Command command, gs::BytesView body) override {
        if (command != gs::command_of<arena::Frame>) return;
        const auto frame = gs::msgpack::decode<arena::Frame>(body).value();
        for (const auto& place : frame.places) {
            if (place.player == bot_.player() && where_ && where_->x == place.x && where_->y == place.y) seen_ = true;
        }
    }

    void prove(std::function<void(bool done)> tell) override {
        proves_ = true;
        if (!where_) return enter(tell);
        seen_ = false;  // it is there, in whatever game by now, and is to be shown once more
        tell(true);
    }

    /// Where it was told that it stands, when no frame has shown that.
    [[nodiscard]] std::string missing() const {
        if (!where_ || seen_ || !bot_.in_session()) return {};
        return fmt::format("{} went to {}, {}, and no frame shows it there", bot_.host(), where_->x, where_->y);
    }

private:
    void walk() {
        arena::Walk walk{static_cast<std::uint32_t>(bot_.random().between(0, 999)),
                         static_cast<std::uint32_t>(bot_.random().between(0, 999))};
        const auto era = bot_.era();
        bot_.request(walk, [this, walk, era](const gs::Result<gs::Done>& answer) {
            if (era != bot_.era()) return;
            where_.reset();  // without an answer it may be done, or yet be done
            if (answer) stand({bot_.player(), walk.x, walk.y});
        });
    }

    void enter(const std::function<void(bool done)>& tell) {
        const std::string arena = bot_.random().chance(0.5) ? "north" : "south";
        const auto era = bot_.era();
        bot_.request(arena::Enter{arena}, [this, tell, era](const gs::Result<arena::Entered>& answer) {
            tell(answer.has_value());
            if (era != bot_.era()) return;
            where_.reset();
            if (!answer) return;
            for (const auto& place : answer->places) {
                if (place.player == bot_.player()) return stand(place);
            }
            bot_.fail("entered an arena and does not stand in it");
        });
    }

    void stand(const arena::Place& place) {
        where_ = place;
        seen_ = false;
    }

    Bot& bot_;
    std::optional<arena::Place> where_;
    bool seen_ = false, proves_ = false;
};

class ArenaWorkload final : public gs::sim::Workload {
public:
    explicit ArenaWorkload(gs::sim::World& /*world*/) {}

    [[nodiscard]] std::uint64_t weight() const override { return 1; }
    [[nodiscard]] std::unique_ptr<gs::sim::Script> make_script(Bot& bot) override {
        auto script = std::make_unique<ArenaScript>(bot);
        scripts_.push_back(script.get());
        return script;
    }
    void configure(std::map<std::string, gs::SettingScalar>& settings) override {
        settings["module.arena.frames_per_second"] = std::int64_t{2};
    }
    [[nodiscard]] std::string missing() const override {
        for (const auto* script : scripts_) {
            if (auto text = script->missing(); !text.empty()) return text;
        }
        return {};
    }

private:
    std::vector<ArenaScript*> scripts_;
};

}  // namespace

int main(int argc, char** argv) { return gs::sim::run(argc, argv, {gs::sim::workload<ArenaWorkload>()}); }
