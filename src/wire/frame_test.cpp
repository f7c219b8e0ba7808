#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "wire/frame.hpp"

using namespace gs;
using namespace gs::wire;

namespace {

void write_frame(Buffer& out, std::string_view payload) {
    const auto begin = begin_frame(out);
    out.append(as_bytes(payload));
    finish_frame(out, begin);
}

/// Receives a stream in pieces, as a connection does.
class Reader {
public:
    void receive(BytesView piece) {
        held_.append(piece);
        for (;;) {
            const auto cut = cut_frame(held_, 1000);
            if (cut.status != FrameCut::Status::frame) return;
            frames.emplace_back(as_text(cut.payload));
            held_.consume(cut.consumed());
        }
    }
    std::vector<std::string> frames;
    [[nodiscard]] std::size_t held() const { return held_.size(); }

private:
    Buffer held_;
};

}  // namespace

TEST_CASE("frames come out whole whatever the segmentation", "[wire][NET-02]") {
    const std::vector<std::string> sent{"one", "", "three and more", "x", std::string(300, 'y'), ""};
    Buffer stream;
    for (const auto& payload : sent) write_frame(stream, payload);
    REQUIRE(stream.size() == 6 * frame_prefix_bytes + 318);

    SECTION("cut once at every place") {
        for (std::size_t place = 0; place <= stream.size(); ++place) {
            CAPTURE(place);
            Reader reader;
            reader.receive(stream.view().first(place));
            reader.receive(stream.view().subspan(place));
            CHECK((reader.frames == sent));
            CHECK(reader.held() == 0);
        }
    }
    SECTION("pieces of every size") {
        for (std::size_t size = 1; size <= stream.size(); ++size) {
            CAPTURE(size);
            Reader reader;
            for (std::size_t at = 0; at < stream.size(); at += size) {
                reader.receive(stream.view().subspan(at, std::min(size, stream.size() - at)));
            }
            CHECK((reader.frames == sent));
        }
    }
    SECTION("random pieces") {
        std::mt19937_64 random{7};
        for (int round = 0; round < 200; ++round) {
            Reader reader;
            for (std::size_t at = 0; at < stream.size();) {
                const auto size = std::min<std::size_t>(random() % 40, stream.size() - at);
                reader.receive(stream.view().subspan(at, size));
                at += size;
            }
            CHECK((reader.frames == sent));
        }
    }
}

TEST_CASE("the length is little-endian and without itself", "[wire][NET-02]") {
    Buffer out;
    write_frame(out, std::string(0x0102, 'z'));
    CHECK(out.data()[0] == 0x02);
    CHECK(out.data()[1] == 0x01);
    CHECK(out.data()[2] == 0);
    CHECK(out.data()[3] == 0);
    std::uint8_t at[4];
    write_length(at, 0x04030201);
    CHECK((Binary{at, at + 4} == Binary{1, 2, 3, 4}));
}

TEST_CASE("a forged length is refused before its bytes come", "[wire][NET-02]") {
    const auto status = [](Binary prefix, std::size_t length_max) { return cut_frame(prefix, length_max).status; };
    using Status = FrameCut::Status;
    CHECK(status({0xff, 0xff, 0xff, 0xff}, 1000) == Status::too_long);
    CHECK(cut_frame(Binary{0xff, 0xff, 0xff, 0xff}, 1000).length == 0xffff'ffffU);
    CHECK(status({0xe9, 0x03, 0, 0}, 1000) == Status::too_long);
    CHECK(status({0xe8, 0x03, 0, 0}, 1000) == Status::incomplete);
    CHECK(status({0, 0, 0, 0x80}, 1000) == Status::too_long);
    CHECK(status({0xff, 0xff, 0xff, 0xff}, 0xffff'ffffU) == Status::incomplete);
    CHECK(status({0, 0, 0, 0}, 0) == Status::frame);
    CHECK(status({0xff, 0xff, 0xff}, 1000) == Status::incomplete);
    CHECK(status({}, 1000) == Status::incomplete);
}
