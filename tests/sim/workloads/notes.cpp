#include "tests/sim/workloads/notes.hpp"

#include "modules/echo/messages.hpp"
#include "modules/profile/messages.hpp"
#include "tests/sim/workloads/texts.hpp"

namespace gs::sim {

namespace {

class NotesScript final : public Script {
public:
    NotesScript(Notes& notes, Bot& bot) : notes_{notes}, bot_{bot} {}

    void on_entered() override { confirmed_ = 0; }
    void on_gap() override { confirmed_ = 0; }

    void act() override { bot_.random().chance(0.53) ? write() : read(); }

private:
    void write() {
        const auto number = notes_.next_number(bot_.player());
        const auto text = make_text(bot_.player(), number);
        bot_.request(scenarios::WriteNotes{text, text, text}, [this, number](const Result<Done>& answer) {
            if (answer) confirmed_ = std::max(confirmed_, number);
        });
    }

    void read() {
        const auto least = confirmed_;
        const auto era = bot_.era();
        bot_.request(scenarios::ReadNotes{}, [this, least, era](const Result<scenarios::Notes>& answer) {
            if (!answer) return;
            for (const auto& text : {answer->quick, answer->periodic, answer->leave}) {
                if (!text.empty() && owner_in(text) != static_cast<std::uint64_t>(bot_.player())) {
                    bot_.fail(fmt::format("read the note \"{}\", which is not its own", text));
                }
                if (era == bot_.era() && number_in(text) < least) {
                    bot_.fail(fmt::format("wrote note {} and then, in the same session, read \"{}\"", least, text));
                }
            }
        });
    }

    Notes& notes_;
    Bot& bot_;
    std::uint64_t confirmed_ = 0;
};

class LookScript final : public Script {
public:
    LookScript(World& world, Bot& bot) : world_{world}, bot_{bot} {}

    void act() override {
        const auto draw = bot_.random().between(0, 16);
        if (draw < 12) {
            echo();
        } else if (draw < 15) {
            view();
        } else {
            const auto name = fmt::format("name-{}", bot_.random().between(1, 6));
            bot_.request(profile::SetNickname{name}, [](const Result<Done>&) {});
        }
    }

private:
    void echo() {
        const auto length = bot_.random().over_magnitudes(runtime::Duration{1}, runtime::Duration{4000}).count();
        const std::string text(static_cast<std::size_t>(length), static_cast<char>('a' + bot_.random().between(0, 25)));
        bot_.request(echo::Echo{text}, [this, text](const Result<echo::Echo>& answer) {
            if (!answer || answer->text == text) return;
            bot_.fail(fmt::format("sent {} bytes to be echoed and got {} others", text.size(), answer->text.size()));
        });
    }

    void view() {
        const auto other = bot_.random().pick(world_.players);
        bot_.request(profile::ViewProfile{other}, [this, other](const Result<profile::PublicProfile>& answer) {
            if (!answer || answer->player == other) return;
            bot_.fail(fmt::format("asked for player {} and was shown player {}", other, answer->player));
        });
    }

    World& world_;
    Bot& bot_;
};

}  // namespace

std::unique_ptr<Script> Notes::make_script(Bot& bot) { return std::make_unique<NotesScript>(*this, bot); }

std::unique_ptr<Script> Look::make_script(Bot& bot) { return std::make_unique<LookScript>(world_, bot); }

}  // namespace gs::sim
