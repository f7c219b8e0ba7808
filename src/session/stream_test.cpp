#include "session/stream.hpp"

#include <catch2/catch.hpp>

#include "base/describe.hpp"

using namespace gs;
using session::Mark;
using session::Stream;

namespace {

constexpr Command command = 1000;

void say(Stream& stream, std::uint8_t text) { stream.add({wire::Kind::push, false, command}, Binary{text}); }
void reply(Stream& stream, std::uint64_t id, std::uint8_t text) {
    stream.add({wire::Kind::reply, false, command, id}, Binary{text});
}

/// "number:text" of pushes, "number:id=text" of replies, "!" after errors.
std::vector<std::string> list(BytesView frames) {
    std::vector<std::string> found;
    while (!frames.empty()) {
        const auto cut = wire::cut_frame(frames, frames.size());
        REQUIRE(cut.status == wire::FrameCut::Status::frame);
        const auto message = wire::parse_message(cut.payload);
        REQUIRE(message.fault == nullptr);
        auto text = fmt::format("{}:", message.header.session);
        if (message.header.kind == wire::Kind::reply) text += fmt::format("{}=", message.header.request_id);
        text += message.header.error ? "!" : std::to_string(message.body[0]);
        found.push_back(text);
        frames = frames.subspan(cut.consumed());
    }
    return found;
}
using Texts = std::vector<std::string>;

Mark stored(const Mark& mark) { return from_json<Mark>(to_json(mark)).value(); }

}  // namespace

TEST_CASE("a stream keeps what the client has not acknowledged", "[session][SES-01]") {
    Stream stream;
    stream.begin(9);
    for (std::uint8_t text = 1; text <= 5; ++text) say(stream, text);
    CHECK(list(stream.frames_after(0)) == Texts{"1:1", "2:2", "3:3", "4:4", "5:5"});
    CHECK(list(stream.frames_after(3)) == Texts{"4:4", "5:5"});
    CHECK(stream.frames_after(5).empty());

    stream.acknowledge(2);
    CHECK_FALSE(stream.covers(1));
    CHECK(stream.covers(2));
    CHECK(stream.covers(5));
    CHECK_FALSE(stream.covers(6));  // never sent
    CHECK(list(stream.frames_after(2)) == Texts{"3:3", "4:4", "5:5"});
    stream.acknowledge(1);  // older news
    stream.acknowledge(100);
    CHECK(stream.covers(5));
    CHECK(list(stream.frames_after(5)).empty());
    say(stream, 6);
    CHECK(list(stream.frames_after(5)) == Texts{"6:6"});
}

TEST_CASE("a client that does not acknowledge costs a bounded amount", "[session][SES-02]") {
    Stream many;
    for (int count = 0; count < 1000; ++count) say(many, 1);
    CHECK(list(many.frames_after(0)).size() == Stream::messages_max);
    CHECK_FALSE(many.covers(999 - Stream::messages_max));
    CHECK(many.covers(1000 - Stream::messages_max));

    Stream large;
    for (int count = 0; count < 20; ++count) large.add({wire::Kind::push, false, command}, Binary(10'000));
    CHECK(large.frames_after(0).size() <= Stream::bytes_max);
    CHECK(large.covers(20 - 6));
    const auto frame = large.add({wire::Kind::push, false, command}, Binary(Stream::bytes_max));
    CHECK(frame.size() > Stream::bytes_max);  // it is sent all the same
    CHECK_FALSE(large.covers(20));
    CHECK(large.covers(21));
}

TEST_CASE("requests arrive once and without a hole", "[session][SES-01][MSG-07]") {
    Stream stream;
    stream.begin(9);
    CHECK(stream.arrive(1) == Stream::Arrival::next);
    CHECK(stream.arrive(1) == Stream::Arrival::duplicate);
    CHECK(stream.arrive(3) == Stream::Arrival::hole);
    CHECK(stream.arrive(2) == Stream::Arrival::next);
    CHECK(stream.arrive(0) == Stream::Arrival::duplicate);
    CHECK(stream.received() == 2);
    stream.begin(10);
    CHECK(stream.received() == 0);
    CHECK(stream.next() == 1);
}

TEST_CASE("a whole mark goes on as if nothing had happened", "[session][SES-03][CEN-05]") {
    Stream stream;
    stream.begin(9);
    for (std::uint64_t id = 1; id <= 3; ++id) {
        stream.arrive(id);
        reply(stream, id, static_cast<std::uint8_t>(id));
        stream.done(id);
    }
    say(stream, 7);
    stream.acknowledge(1);

    Stream moved;
    moved.restore(stored(stream.whole_mark()));
    CHECK(moved.session() == 9);
    CHECK_FALSE(moved.is_torn());
    CHECK(moved.received() == 3);
    CHECK(moved.covers(1));
    CHECK_FALSE(moved.covers(0));
    CHECK(list(moved.frames_after(1)) == Texts{"2:2=2", "3:3=3", "4:7"});
    say(moved, 8);
    CHECK(list(moved.frames_after(4)) == Texts{"5:8"});
}

TEST_CASE("what a stream has lost is not forgotten when it moves on", "[session][SES-03][CEN-05]") {
    Stream stream;
    stream.begin(9);
    say(stream, 7);
    stream.tear();

    Stream moved;
    moved.restore(stored(stream.whole_mark()));
    CHECK(moved.is_torn());
    CHECK_FALSE(moved.covers(0));
    CHECK(moved.bridge_gap(0, 0).has_value());
    CHECK_FALSE(moved.is_torn());
}

TEST_CASE("after a crash every request that was done has its reply, and none is run again", "[session][SES-03]") {
    Stream stream;
    stream.begin(9);
    for (std::uint64_t id = 1; id <= 4; ++id) {
        stream.arrive(id);
        reply(stream, id, static_cast<std::uint8_t>(id));
        stream.done(id);
    }
    stream.arrive(5);
    stream.arrive(6);  // waits while 5 is saved
    say(stream, 7);
    const wire::Header running{wire::Kind::request, false, command, 5};
    const auto mark = stored(stream.mark(&running, Binary{55}));

    Stream after;
    after.restore(mark);
    CHECK(after.is_torn());
    CHECK(after.received() == 5);
    // The client has seen number 9 before the crash, and waits for 3, 4, 5 and 6.
    const auto next = after.bridge_gap(9, 2).value();
    CHECK(next == 11);
    CHECK(after.received() == 5);
    CHECK(list(after.frames_after(10)) == Texts{"11:3=3", "12:4=4", "13:5=55"});
    CHECK(after.arrive(5) == Stream::Arrival::duplicate);
    CHECK(after.arrive(6) == Stream::Arrival::next);
    CHECK_FALSE(after.is_torn());

    // It was not told: its connection was lost again.
    CHECK_FALSE(after.covers(9));
    CHECK(after.covers(10));
    CHECK(after.bridge_gap(9, 2).value() == 15);
    CHECK(list(after.frames_after(14)) == Texts{"15:3=3", "16:4=4", "17:5=55"});
}

TEST_CASE("a reply that is not kept is answered as lost", "[session][SES-03]") {
    Stream stream;
    stream.begin(9);
    for (std::uint64_t id = 1; id <= 6; ++id) {
        stream.arrive(id);
        if (id == 4) stream.acknowledge(3);
        reply(stream, id, static_cast<std::uint8_t>(id));
        stream.done(id);
    }
    Stream after;
    after.restore(stored(stream.mark(nullptr, {})));
    REQUIRE(after.bridge_gap(3, 0));  // it acknowledged more than it now says that it has
    CHECK(list(after.frames_after(7)) == Texts{"8:1=!", "9:2=!", "10:3=!", "11:4=4", "12:5=5", "13:6=6"});
}

TEST_CASE("a session of which nothing was stored goes on behind what is answered", "[session][SES-03]") {
    Stream stream;
    stream.begin(9);
    CHECK(stream.bridge_gap(20, 11).value() == 22);
    CHECK(stream.received() == 11);
    CHECK(stream.frames_after(21).empty());
    CHECK(stream.arrive(12) == Stream::Arrival::next);
}

TEST_CASE("a mark keeps a bounded amount of replies, the latest ones", "[session][SES-02]") {
    Stream stream;
    stream.begin(9);
    for (std::uint64_t id = 1; id <= 100; ++id) {
        stream.arrive(id);
        stream.add({wire::Kind::reply, false, command, id}, Binary(100, static_cast<std::uint8_t>(id)));
        stream.done(id);
    }
    const wire::Header running{wire::Kind::request, false, command, 101};
    const auto mark = stream.mark(&running, Binary(100, 101));
    CHECK(mark.frames.size() <= 4096);
    const auto kept = list(mark.frames);
    CHECK(kept.size() > 30);
    CHECK(kept.back() == "101:101=101");
    CHECK(mark.done == 101);
}

TEST_CASE("a mark that cannot be read leaves no frames", "[session][SES-02]") {
    Mark mark;
    mark.session = 9;
    mark.next = 5;
    mark.whole = true;
    mark.frames = {200, 0, 0, 0, 1};
    Stream stream;
    stream.restore(mark);
    CHECK(stream.frames_after(4).empty());
    CHECK(stream.next() == 5);
    CHECK_FALSE(stream.covers(3));
}

TEST_CASE("after a gap every request has one answer, in order, however many were refused ahead", "[session][SES-03]") {
    Stream stream;
    stream.begin(9);
    for (std::uint64_t id = 1; id <= 6; ++id) stream.arrive(id);
    REQUIRE(stream.refuse(5));  // 5 and 6 overtake 1 to 4
    reply(stream, 5, 50);
    REQUIRE(stream.refuse(6));
    reply(stream, 6, 60);
    stream.acknowledge(1);  // the reply to 5 is gone
    for (std::uint64_t id = 1; id <= 3; ++id) {
        reply(stream, id, static_cast<std::uint8_t>(id));
        stream.done(id);
    }
    CHECK(stream.bridge_gap(0, 0).value() == 7);
    // 4 waits for its turn.
    CHECK(list(stream.frames_after(6)) == Texts{"7:1=1", "8:2=2", "9:3=3", "10:5=!", "11:6=60"});
}

TEST_CASE("a client that comes back gets all that bridges its gap, however much that is", "[session][SES-02]") {
    Stream stream;
    stream.begin(9);
    for (std::uint64_t id = 1; id <= 100; ++id) {
        stream.arrive(id);
        stream.add({wire::Kind::reply, false, command, id}, Binary(1000));
        stream.done(id);
    }
    REQUIRE_FALSE(stream.covers(0));
    stream.hold(true);
    const auto next = stream.bridge_gap(0, 0).value();
    CHECK(stream.covers(next - 1));
    CHECK(list(stream.frames_after(next - 1)).size() == 100);
    stream.hold(false);
    say(stream, 1);
    CHECK(stream.frames_after(next + 99).size() < 100);
    CHECK_FALSE(stream.covers(next - 1));

    Stream lost;
    lost.begin(9);
    for (std::uint64_t id = 1; id <= 5000; ++id) {
        lost.arrive(id);
        lost.done(id);
    }
    CHECK(lost.bridge_gap(0, 0).error().code() == Code::not_found);
}
