#include "modules/chat/messages.hpp"

#include <algorithm>
#include <unordered_map>

#include "api/module.hpp"

namespace chat {

using gs::Code;
using gs::Error;
using gs::Player;

class Chat final : public gs::Module {
public:
    explicit Chat(gs::ModuleContext& context)
        : context_{context},
          text_bytes_max_{
              static_cast<std::size_t>(context.config("text_bytes_max", 500, {1, 8192}, "bytes", "the longest line"))},
          keep_{static_cast<std::uint32_t>(
              context.config("lines_kept", 20, {0, 500}, "lines", "last lines shown to who joins"))},
          lines_per_second_{
              context.config("lines_per_second", 20, {1, 100'000}, "lines", "of one player; more are refused")} {
        context.on(&Chat::join, this);
        context.on(&Chat::leave, this);
        context.on(&Chat::say, this);
        context.on(&Chat::whisper, this);
        context.pushes<Said, Whispered>();
        context.on_leave([this](Player& player) { free_at_.erase(player.id()); });
    }

private:
    gs::Task<Joined> join(Player& player, Join request) {
        Joined joined;
        joined.last_lines = co_await context_.channel(request.channel).join<Line>(player.id());
        co_return joined;
    }

    gs::Task<gs::Done> leave(Player& player, Leave request) {
        co_await context_.channel(request.channel).leave(player.id());
        co_return gs::Done{};
    }

    gs::Task<SayOk> say(Player& from, Say request) {
        check(from, request.text);
        const Line line{0, from.id(), request.text};
        auto number = co_await context_.channel(request.channel).append<Said>(line, keep_);
        co_return SayOk{number};
    }

    gs::Done whisper(Player& from, const Whisper& request) {
        check(from, request.text);
        context_.push(request.to, Whispered{from.id(), request.text});
        return {};
    }

    void check(Player& from, const std::string& text) {
        if (text.empty() || text.size() > text_bytes_max_) {
            throw Error{Code::invalid, "a line has 1 to {} bytes, this one {}", text_bytes_max_, text.size()};
        }
        // Up to a second's worth may come at once.
        const auto now = context_.loop().now();
        auto& free_at = free_at_[from.id()];
        if (free_at > now + std::chrono::seconds{1})
            throw Error{Code::limited, "at most {} lines a second", lines_per_second_};
        free_at = std::max(free_at, now) + gs::runtime::Duration{std::chrono::seconds{1}} / lines_per_second_;
    }

    gs::ModuleContext& context_;
    std::size_t text_bytes_max_;
    std::uint32_t keep_;
    std::int64_t lines_per_second_;
    std::unordered_map<gs::PlayerId, gs::runtime::Time> free_at_;  // when a player may say the next line
};

}  // namespace chat

GS_MODULE(chat, chat::Chat)
