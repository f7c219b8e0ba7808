#pragma once
// A channel: a named stream of lines for its members, wherever they are. The center numbers the lines and keeps the
// last ones; gateways hold the members. A channel push is a struct {text channel; line}, a line starts with its number:
//   struct Line { std::uint64_t number; ... };   struct Said { std::string channel; Line line; };   GS_PUSH(1204, Said)
#include <string>
#include <vector>

#include "api/handler.hpp"
#include "api/push.hpp"

namespace gs {

/// The channels of the cluster, as a role reaches them. Bodies are encoded lines.
class ChannelService {
public:
    [[nodiscard]] virtual Task<std::vector<Binary>> join(PlayerId player, std::string channel) = 0;
    [[nodiscard]] virtual Task<> leave(PlayerId player, std::string channel) = 0;
    [[nodiscard]] virtual Task<std::uint64_t> append(std::string channel, Command push, std::uint32_t keep,
                                                     Binary line) = 0;

protected:
    ~ChannelService() = default;
};

class Channel {
public:
    Channel(ChannelService& service, const DeclaredPushes& pushes, std::string name)
        : service_{service}, pushes_{pushes}, name_{std::move(name)} {}

    /// The player gets every line from here on; returns the last ones before it.
    template <class Line>
    [[nodiscard]] Task<std::vector<Line>> join(PlayerId player) const {
        return decode_lines<Line>(service_.join(player, name_));
    }
    [[nodiscard]] Task<> leave(PlayerId player) const { return service_.leave(player, name_); }
    /// Pushes the line to all members as a `T`; returns the number it got. It is sent now: call it last in a turn.
    template <Push T>
    [[nodiscard]] Task<std::uint64_t> append(const decltype(T::line)& line, std::uint32_t keep) const {
        pushes_.require<T>();
        return service_.append(name_, command_of<T>, keep, msgpack::encode(line));
    }

private:
    template <class Line>
    static Task<std::vector<Line>> decode_lines(Task<std::vector<Binary>> joined) {
        auto encoded = co_await std::move(joined);
        std::vector<Line> lines;
        for (const auto& line : encoded) lines.push_back(msgpack::decode<Line>(line).value());
        co_return lines;
    }

    ChannelService& service_;
    const DeclaredPushes& pushes_;
    std::string name_;
};

}  // namespace gs
