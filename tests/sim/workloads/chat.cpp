#include "tests/sim/workloads/chat.hpp"

#include "tests/sim/workloads/texts.hpp"

namespace gs::sim {

class ChatScript final : public Script {
public:
    ChatScript(Chat& chat, Bot& bot) : chat_{chat}, bot_{bot} {}

    [[nodiscard]] const Bot& bot() const { return bot_; }
    /// What was confirmed to who whispered it, and was not heard.
    [[nodiscard]] const std::set<std::string>& expected() const { return expected_; }

    void on_entered() override {
        forget();
        heard_.clear();
        join("market");
    }
    void on_gap() override {
        forget();
        for (const auto& text : unanswered_) {
            chat_.doubtful_.insert(text);
            chat_.lines_.may_repeat(text);
        }
        join("market");
    }
    void on_left() override { expected_.clear(); }

    void act() override {
        const auto draw = bot_.random().between(0, chat_.world_.only_gateways_fail ? 59 : 19);
        if (draw < 13) {
            say();
        } else if (draw < 17) {
            join(bot_.random().chance(0.5) ? "market" : "tavern");
        } else {
            whisper(bot_.random().pick(chat_.world_.players));
        }
    }

    void on_push(Command command, BytesView body) override {
        if (command == command_of<chat::Said>) {
            check_line(msgpack::decode<chat::Said>(body).value());
        } else if (command == command_of<chat::Whispered>) {
            check_whisper(msgpack::decode<chat::Whispered>(body).value());
        }
    }

private:
    void forget() {
        last_line_.clear();
        last_text_.clear();
        expected_.clear();
    }

    std::string new_text() { return make_text(bot_.player(), ++chat_.texts_[bot_.player()]); }

    void join(const std::string& channel) {
        bot_.request(chat::Join{channel}, [this, channel](const Result<chat::Joined>& answer) {
            if (!answer) return;
            for (const auto& line : answer->last_lines) chat_.lines_.seen(channel, line);
        });
    }

    void say() {
        const auto text = new_text();
        const std::string channel = bot_.random().chance(0.8) ? "market" : "tavern";
        unanswered_.insert(text);
        bot_.request(chat::Say{channel, text}, [this, channel, text](const Result<chat::SayOk>& answer) {
            if (!answer) return;
            unanswered_.erase(text);
            chat_.lines_.seen(channel, {answer->line, bot_.player(), text});
        });
    }

    void check_line(const chat::Said& said) {
        chat_.lines_.seen(said.channel, said.line);
        auto& last = last_line_[said.channel];
        if (said.line.number <= last) {
            bot_.fail(fmt::format("got line {} of channel {} after line {}", said.line.number, said.channel, last));
        }
        last = said.line.number;
        auto& text = last_text_[{said.channel, said.line.from}];
        const auto number = number_in(said.line.text);
        if (number <= text && !chat_.doubtful_.contains(said.line.text)) {
            bot_.fail(fmt::format("got text {} of player {} in channel {} after text {}", number, said.line.from,
                                  said.channel, text));
        }
        text = std::max(text, number);
    }

    void whisper(PlayerId to) {
        const auto text = new_text();
        unanswered_.insert(text);
        auto* listener = chat_.world_.only_gateways_fail ? chat_.listener(to) : nullptr;
        const auto era = listener == nullptr ? 0 : listener->bot_.era();
        bot_.request(chat::Whisper{to, text}, [this, text, listener, era](const Result<Done>& answer) {
            unanswered_.erase(text);
            if (!answer) {
                chat_.doubtful_.insert(text);
            } else if (listener != nullptr && listener->bot_.era() == era && !listener->heard_.contains(text)) {
                listener->expected_.insert(text);
            }
        });
    }

    /// Two that one player said may come in either order when its player has moved to another game between them.
    void check_whisper(const chat::Whispered& whispered) {
        expected_.erase(whispered.text);
        if (heard_.insert(whispered.text).second || chat_.doubtful_.contains(whispered.text)) return;
        bot_.fail(fmt::format("heard the whisper {} of player {} twice", whispered.text, whispered.from));
    }

    Chat& chat_;
    Bot& bot_;
    std::map<std::string, std::uint64_t> last_line_;
    std::map<std::pair<std::string, PlayerId>, std::uint64_t> last_text_;
    std::set<std::string> unanswered_, heard_, expected_;
};

std::unique_ptr<Script> Chat::make_script(Bot& bot) {
    auto script = std::make_unique<ChatScript>(*this, bot);
    scripts_.push_back(script.get());
    return script;
}

ChatScript* Chat::listener(PlayerId player) const {
    ChatScript* only = nullptr;
    for (auto* script : scripts_) {
        if (script->bot().player() != player || !script->bot().in_session()) continue;
        if (only != nullptr) return nullptr;
        only = script;
    }
    return only;
}

std::string Chat::missing() const {
    for (const auto* script : scripts_) {
        if (script->expected().empty()) continue;
        return fmt::format("{} has not heard the whisper {}, which was confirmed", script->bot().host(),
                           *script->expected().begin());
    }
    return {};
}

}  // namespace gs::sim
