#include "modules/profile/components.hpp"
#include "modules/profile/messages.hpp"

namespace profile {

using gs::Code;
using gs::Error;
using gs::Player;

namespace {

/// U+0000 to U+001F and U+007F to U+009F; the text is UTF-8, which was checked when it came.
bool has_control_character(std::string_view text) {
    for (std::size_t place = 0; place < text.size(); ++place) {
        const auto byte = static_cast<unsigned char>(text[place]);
        if (byte < 0x20 || byte == 0x7f) return true;
        if (byte == 0xc2 && place + 1 < text.size() && static_cast<unsigned char>(text[place + 1]) < 0xa0) return true;
    }
    return false;
}

}  // namespace

class Profile final : public gs::Module {
public:
    explicit Profile(gs::ModuleContext& context)
        : context_{context},
          motto_bytes_max_{static_cast<std::size_t>(
              context.config("motto_bytes_max", 200, {0, 4096}, "bytes", "the longest motto"))} {
        context.component<Shown>();
        context.component<Hidden>();
        context.serve(&Profile::view, this);
        context.on(&Profile::view_own, this);
        context.on(&Profile::set_nickname, this);
        context.on(&Profile::set_motto, this);
        context.on(&Profile::set_email, this);
        context.on_enter([](Player& player) { ++player.edit<Hidden>().logins; });
    }

private:
    gs::Task<PublicProfile> view(gs::PlayerId /*asker*/, ViewProfile request) {
        auto shown = co_await context_.look_up<Shown>(request.player);
        PublicProfile profile;
        profile.player = request.player;
        profile.nickname = shown.nickname;
        profile.motto = shown.motto;
        co_return profile;
    }

    OwnProfile view_own(Player& player, const ViewOwnProfile& /*request*/) {
        const auto& shown = player.get<Shown>();
        const auto& hidden = player.get<Hidden>();
        return {{player.id(), shown.nickname, shown.motto}, hidden.email, hidden.logins};
    }

    gs::Task<gs::Done> set_nickname(Player& player, SetNickname request) {
        check_nickname(request.nickname);
        const auto before = player.get<Shown>().nickname;
        if (request.nickname == before) co_return gs::Done{};
        co_await context_.claim(player, "nickname", request.nickname);
        if (!before.empty()) co_await context_.release(player, "nickname", before);
        player.edit<Shown>().nickname = request.nickname;
        co_return gs::Done{};
    }

    gs::Done set_motto(Player& player, const SetMotto& request) {
        if (request.motto.size() > motto_bytes_max_) {
            throw Error{Code::invalid, "a motto has at most {} bytes, this one {}", motto_bytes_max_,
                        request.motto.size()};
        }
        player.edit<Shown>().motto = request.motto;
        return {};
    }

    gs::Done set_email(Player& player, const SetEmail& request) {
        if (request.email.size() > 254 || request.email.find('@') == std::string::npos) {
            throw Error{Code::invalid, "an email address has an @ and at most 254 bytes"};
        }
        player.edit<Hidden>().email = request.email;
        return {};
    }

    static void check_nickname(const std::string& nickname) {
        if (nickname.size() < 3 || nickname.size() > 60 || nickname.front() == ' ' || nickname.back() == ' ') {
            throw Error{Code::invalid, "a nickname has 3 to 60 bytes and no space at its ends"};
        }
        if (has_control_character(nickname)) {
            throw Error{Code::invalid, "a nickname has no tabs, line breaks or other control characters"};
        }
    }

    gs::ModuleContext& context_;
    std::size_t motto_bytes_max_;
};

}  // namespace profile

GS_MODULE(profile, profile::Profile)
