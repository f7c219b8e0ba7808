#include "modules/arena/messages.hpp"

#include <map>

#include "api/module.hpp"

namespace arena {

using gs::Code;
using gs::Error;
using gs::Player;

constexpr std::size_t name_bytes_max = 50;
constexpr std::size_t shout_bytes_max = 100;

/// Stored now and then, so that a player who comes from another game role, or comes back, stands where it stood.
struct Whereabouts {
    std::string arena;
    std::uint32_t x = 0, y = 0;
    FIELDS(arena, x, y)
};
GS_COMPONENT(Whereabouts, "arena", Save::periodic)

class Arena final : public gs::Module {
public:
    explicit Arena(gs::ModuleContext& context)
        : context_{context},
          width_{static_cast<std::uint32_t>(context.config("width", 1000, {1, 1'000'000}, "steps", "of the field"))},
          players_max_{static_cast<std::size_t>(
              context.config("players_max", 200, {1, 10'000}, "players", "in one arena; more are refused"))},
          frames_per_second_{static_cast<std::uint32_t>(
              context.config("frames_per_second", 20, {1, 100}, "frames", "to everyone in an arena"))} {
        context.component<Whereabouts>();
        context.on(&Arena::enter, this);
        context.on(&Arena::leave, this);
        context.on(&Arena::walk, this);
        context.on(&Arena::shout, this);
        context.pushes<Frame, Shouted>();
        context.on_enter([this](Player& player) { stand(player); });
        context.on_leave([this](Player& player) { forget(player); });
        const auto period = std::chrono::milliseconds{1000} / frames_per_second_;
        context.timers().every("frame", period, [this] { push_frames(); });
    }

private:
    struct Field {
        std::uint64_t frames = 0;
        std::map<gs::PlayerId, Place> places;
    };

    Entered enter(Player& player, const Enter& request) {
        if (request.arena.empty() || request.arena.size() > name_bytes_max)
            throw Error{Code::invalid, "an arena's name has 1 to {} bytes", name_bytes_max};
        const auto before = player.get<Whereabouts>().arena;
        const auto field = fields_.find(request.arena);
        const bool full = field != fields_.end() && field->second.places.size() >= players_max_;
        if (full && before != request.arena) throw Error{Code::busy, "the arena is full ({} players)", players_max_};
        if (before != request.arena) {
            scene_of(request.arena).enter(player.id());  // may be refused
            forget(player);
            player.edit<Whereabouts>() = {request.arena, width_ / 2, width_ / 2};
        }
        stand(player);
        Entered entered{width_, frames_per_second_, {}};
        for (const auto& [id, place] : fields_[request.arena].places) entered.places.push_back(place);
        return entered;
    }

    gs::Done leave(Player& player, const Leave& /*request*/) {
        forget(player);
        player.edit<Whereabouts>() = {};
        return {};
    }

    gs::Done walk(Player& player, const Walk& request) {
        const auto arena = arena_of(player);
        if (request.x >= width_ || request.y >= width_)
            throw Error{Code::invalid, "x and y are less than {}, not {} and {}", width_, request.x, request.y};
        player.edit<Whereabouts>() = {arena, request.x, request.y};
        stand(player);
        return {};
    }

    gs::Done shout(Player& player, const Shout& request) {
        if (request.text.empty() || request.text.size() > shout_bytes_max)
            throw Error{Code::invalid, "a shout has 1 to {} bytes", shout_bytes_max};
        scene_of(arena_of(player)).push(Shouted{player.id(), request.text});
        return {};
    }

    /// Puts the player where it is said to be.
    void stand(Player& player) {
        const auto& where = player.get<Whereabouts>();
        if (where.arena.empty()) return;
        scene_of(where.arena).enter(player.id());
        fields_[where.arena].places[player.id()] = {player.id(), where.x, where.y};
    }

    void forget(Player& player) {
        const auto& arena = player.get<Whereabouts>().arena;
        if (arena.empty()) return;
        scene_of(arena).leave(player.id());
        fields_[arena].places.erase(player.id());
    }

    void push_frames() {
        for (auto place = fields_.begin(); place != fields_.end();) {
            const auto current = place++;
            auto& [name, field] = *current;
            const auto scene = scene_of(name);
            // A player who was lost to another game role ran no leave hook.
            std::erase_if(field.places, [&](const auto& standing) { return !scene.has(standing.first); });
            if (field.places.empty()) {
                fields_.erase(current);
                continue;
            }
            Frame frame{name, ++field.frames, {}};
            for (const auto& [id, standing] : field.places) frame.places.push_back(standing);
            scene.push(frame);
        }
    }

    [[nodiscard]] static std::string arena_of(Player& player) {
        const auto& arena = player.get<Whereabouts>().arena;
        if (arena.empty()) throw Error{Code::not_found, "enter an arena first"};
        return arena;
    }
    [[nodiscard]] gs::Scene scene_of(const std::string& arena) const { return context_.scene("arena " + arena); }

    gs::ModuleContext& context_;
    std::uint32_t width_;
    std::size_t players_max_;
    std::uint32_t frames_per_second_;
    std::map<std::string, Field> fields_;
};

}  // namespace arena

GS_MODULE(arena, arena::Arena)
