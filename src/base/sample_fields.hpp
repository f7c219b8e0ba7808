#pragma once
// For tests: a structure that holds every kind of value a message may hold, and random ones of it.
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "base/ids.hpp"
#include "base/msgpack.hpp"

namespace gs::sample {

enum class Colour : std::int8_t { red = -1, green = 0, blue = 1 };

struct Inner {
    std::string name = "nobody";
    std::int32_t level = 1;
    bool operator==(const Inner&) const = default;
    FIELDS(name, level)
};

struct Everything {
    bool yes = true;
    std::int8_t small = -5;
    std::uint8_t byte = 5;
    std::int16_t middle = -300;
    std::uint16_t port = 7000;
    std::int32_t number = -70000;
    std::uint32_t count = 70000;
    std::int64_t big = -5'000'000'000;
    std::uint64_t huge = 18'000'000'000'000'000'000U;
    float ratio = 0.5F;
    double precise = 0.1;
    Colour colour = Colour::blue;
    PlayerId player{7};
    std::string text = "text";
    Binary bytes{1, 2, 3};
    std::optional<std::int32_t> maybe;
    std::optional<Inner> maybe_inner;
    std::vector<std::uint64_t> numbers{1, 2};
    std::vector<Inner> members;
    std::vector<std::vector<std::string>> grid;
    std::map<std::string, std::int64_t> by_name;
    std::map<std::int32_t, Inner> by_number;
    std::map<PlayerId, bool> by_player;
    Inner inner;
    bool operator==(const Everything&) const = default;
    FIELDS(yes, small, byte, middle, port, number, count, big, huge, ratio, precise, colour, player, text, bytes, maybe,
           maybe_inner, numbers, members, grid, by_name, by_number, by_player, inner)
};

struct Tree {
    std::string name;
    std::vector<Tree> children;
    bool operator==(const Tree&) const = default;
    FIELDS(name, children)
};

class Random {
public:
    explicit Random(std::uint64_t seed) : engine_{seed} {}

    std::uint64_t below(std::uint64_t end) { return engine_() % end; }

    /// All magnitudes equally often, so that every length of the encoding comes up.
    template <class T>
    T integer() {
        const auto bits = engine_() >> below(64);
        return static_cast<T>(below(2) == 0 ? bits : ~bits);
    }
    double real() {
        for (;;) {
            const auto value = std::bit_cast<double>(engine_());
            if (std::isfinite(value)) return value;
        }
    }
    std::string text() {
        static constexpr std::array<std::string_view, 8> pieces{"a", "\"", "\\",   "\n",
                                                                "é", "😀",  "\x01", "a longer piece of text, "};
        std::string out;
        for (auto left = below(40); left > 0; --left) out += pieces[below(pieces.size())];
        return out;
    }
    Binary bytes() {
        Binary out(below(300));
        for (auto& byte : out) byte = integer<std::uint8_t>();
        return out;
    }
    Inner inner() { return {text(), integer<std::int32_t>()}; }

    Everything everything() {
        Everything value;
        value.yes = below(2) == 0;
        value.small = integer<std::int8_t>();
        value.byte = integer<std::uint8_t>();
        value.middle = integer<std::int16_t>();
        value.port = integer<std::uint16_t>();
        value.number = integer<std::int32_t>();
        value.count = integer<std::uint32_t>();
        value.big = integer<std::int64_t>();
        value.huge = integer<std::uint64_t>();
        value.ratio = static_cast<float>(integer<std::int32_t>()) / 7.0F;
        value.precise = real();
        value.colour = static_cast<Colour>(below(3));
        value.player = PlayerId{integer<std::uint64_t>()};
        value.text = text();
        value.bytes = bytes();
        value.inner = inner();
        if (below(2) == 0) value.maybe = integer<std::int32_t>();
        if (below(2) == 0) value.maybe_inner = inner();
        for (auto left = below(20); left > 0; --left) value.numbers.push_back(integer<std::uint64_t>());
        for (auto left = below(20); left > 0; --left) value.members.push_back(inner());
        for (auto left = below(4); left > 0; --left) value.grid.push_back({text(), text()});
        for (auto left = below(20); left > 0; --left) value.by_name[text()] = integer<std::int64_t>();
        for (auto left = below(20); left > 0; --left) value.by_number[integer<std::int32_t>()] = inner();
        for (auto left = below(4); left > 0; --left) value.by_player[PlayerId{integer<std::uint64_t>()}] = true;
        return value;
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace gs::sample
