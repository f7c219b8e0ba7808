// What bots do with the module in the simulator, and what must hold whatever fails.
#include "api/json.hpp"
#include "hello_outside/messages.hpp"
#include "tests/sim/bot.hpp"
#include "tests/sim/command_line.hpp"

namespace {

using gs::sim::Bot;

/// Of one player: how often it was greeted.
struct Count {
    std::uint64_t asked = 0, confirmed = 0, stored = 0;
};
using Counts = std::map<gs::PlayerId, Count>;

class HelloScript final : public gs::sim::Script {
public:
    HelloScript(Counts& counts, Bot& bot) : counts_{counts}, bot_{bot} {}

    void act() override {
        auto& count = counts_[bot_.player()];
        ++count.asked;
        bot_.request(hello_outside::Hello{"bot"}, [this, &count](const gs::Result<hello_outside::Greeting>& answer) {
            if (!answer) return;  // it may have been done, or it may yet be done
            count.confirmed = std::max(count.confirmed, answer->greetings);
            if (answer->greetings > count.stored) bot_.fail("was told of a greeting that is not stored");
        });
    }

private:
    Counts& counts_;
    Bot& bot_;
};

struct StoredGreetings {
    std::uint64_t count = 0;
    FIELDS(count)
};

class HelloWorkload final : public gs::sim::Workload {
public:
    explicit HelloWorkload(gs::sim::World& world) : world_{world} {}

    [[nodiscard]] std::uint64_t weight() const override { return 1; }
    [[nodiscard]] std::unique_ptr<gs::sim::Script> make_script(Bot& bot) override {
        return std::make_unique<HelloScript>(counts_, bot);
    }
    void on_stored(const gs::storage::Commit& commit) override {
        for (const auto& write : commit.entities) {
            for (const auto& component : write.components) {
                if (component.name != "greetings") continue;
                counts_[gs::PlayerId{write.key.id}].stored = gs::from_json<StoredGreetings>(component.data)->count;
            }
        }
    }
    void at_end() override {
        for (const auto& [player, count] : counts_) {
            if (count.confirmed <= count.stored && count.stored <= count.asked) continue;
            world_.trace.fail(fmt::format("player {} asked for {} greetings, {} were confirmed and {} are stored",
                                          player, count.asked, count.confirmed, count.stored));
        }
    }

private:
    gs::sim::World& world_;
    Counts counts_;
};

}  // namespace

int main(int argc, char** argv) { return gs::sim::run(argc, argv, {gs::sim::workload<HelloWorkload>()}); }
