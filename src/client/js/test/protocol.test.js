// One connection, as the client sees it. The twin of src/client/cpp/protocol_test.cpp.
import assert from "node:assert/strict";
import test from "node:test";

import { codes } from "../src/error.ts";
import { boolean, decode, struct, text, u8 } from "../src/schema.ts";
import { ClientHello, commands, cutFrame, Enter, Kind, Ping, Pong, Queued, SessionState } from "../src/wire.ts";
import { bytesOf, Echo, messageBytes, Talk } from "./talk.js";

const code = (name) => codes.indexOf(name);
const Close = struct("Close", () => [["code", u8], ["reason", text], ["reconnect", boolean]]);

test("hello, then enter, then entered", () => {
    const talk = new Talk({ clientVersion: "demo 1.0" });
    talk.protocol.start("secret", talk.now);
    const hello = cutFrame(talk.protocol.output.written, 0, 1000);
    const said = decode(ClientHello, hello.slice(4));
    assert.equal(said.clientVersion, "demo 1.0");
    assert.equal(said.protocolMax, 1);
    talk.protocol.output.clear();
    talk.hello();
    assert.equal(talk.protocol.entered, false);
    const [enter, ...more] = talk.sent();
    assert.equal(more.length, 0);
    assert.equal(enter.header.command, commands.enter);
    assert.equal(enter.header.requestId, 0);
    assert.equal(decode(Enter, enter.body).token, "secret");
    talk.entered({ player: 42n });
    assert.equal(talk.protocol.entered, true);
    assert.deepEqual(talk.events.entered, [42n]);
});

test("who waits in the queue is told, and is not given up while the server says so", () => {
    const talk = new Talk({ device: "tablet" });
    talk.protocol.start("t", talk.now);
    talk.protocol.output.clear();
    talk.hello();
    assert.equal(decode(Enter, talk.sent()[0].body).device, "tablet");
    for (const position of [12, 7, 1]) {
        talk.tick(4999);
        talk.control(commands.queued, Queued, { position, waitSeconds: 180 });
        assert.equal(talk.protocol.nextTick, talk.now + 5000);
    }
    assert.deepEqual(talk.events.queued.map(({ position }) => position), [12, 7, 1]);
    talk.entered();
    assert.equal(talk.protocol.entered, true);
    talk.control(commands.queued, Queued, { position: 1, waitSeconds: 0 });
    assert.equal(talk.events.queued.length, 3, "nobody who is in waits");
    assert.equal(talk.protocol.nextTick, Infinity);

    const forgotten = new Talk();
    forgotten.protocol.start("t", forgotten.now);
    forgotten.hello();
    forgotten.control(commands.queued, Queued, { position: 1, waitSeconds: 0 });
    forgotten.tick(5000);
    assert.equal(forgotten.events.closed[0].code, "deadline");
});

test("a refusal says why, and whether another try makes sense", () => {
    const refused = (act) => {
        const talk = new Talk();
        talk.protocol.start("t", talk.now);
        act(talk);
        assert.equal(talk.events.closed.length, 1);
        assert.equal(talk.protocol.closed, true);
        return talk.events.closed[0];
    };
    assert.deepEqual(refused((talk) => talk.hello({ code: code("busy"), message: "full" })), { code: "busy", reason: "full", reconnect: true });
    assert.deepEqual(refused((talk) => {
        talk.hello();
        talk.refuse(code("unauthenticated"));
    }), { code: "unauthenticated", reason: "no", reconnect: false });
    assert.match(refused((talk) => talk.receive(new TextEncoder().encode("\x04\0\0\0nope"))).reason, /not a gateway/);
    assert.match(refused((talk) => talk.hello({ security: "noise" })).reason, /security 'noise'/);
    assert.match(refused((talk) => talk.hello({ protocol: 2 })).reason, /protocol 2/);
    assert.equal(refused((talk) => {
        assert.equal(talk.protocol.nextTick, talk.now + 5000);
        talk.tick(5000);
    }).code, "deadline");
});

test("replies find their requests in any order and byte by byte", () => {
    const talk = new Talk().enter();
    const first = talk.ask("one"), second = talk.ask("two");
    assert.deepEqual(talk.sentIds(), [1, 2]);
    talk.answer(2, "TWO");
    assert.equal(second.text, "TWO");
    assert.equal(first.count, 0);
    for (const byte of messageBytes({ kind: Kind.reply, command: 1000, requestId: 1 }, Echo, { text: "ONE" })) talk.receive(Uint8Array.of(byte));
    assert.equal(first.text, "ONE");
    assert.equal(talk.events.closed.length, 0);
});

test("several messages in one read", () => {
    const talk = new Talk().enter();
    const asked = talk.ask("x");
    talk.receive(bytesOf((out) => {
        out.raw(messageBytes({ kind: Kind.push, command: 1300 }, Echo, { text: "a" }));
        out.raw(messageBytes({ kind: Kind.reply, command: 1000, requestId: 1 }, Echo, { text: "y" }));
        out.raw(messageBytes({ kind: Kind.push, command: 1301, state: true }, Echo, { text: "b" }));
    }));
    assert.deepEqual(talk.events.pushes, ["1300 a", "1301 b"]);
    assert.equal(asked.text, "y");
});

test("a request ends at its deadline and a late reply is dropped", () => {
    const talk = new Talk().enter();
    const slow = talk.ask("slow", 3000), quick = talk.ask("quick", 1000);
    assert.equal(talk.protocol.nextTick, talk.now + 1000);
    talk.tick(1000);
    assert.equal(quick.code, "deadline");
    assert.equal(slow.count, 0);
    assert.equal(talk.protocol.nextTick, talk.now + 2000);
    talk.answer(2, "late");
    talk.answer(1, "in time");
    assert.equal(slow.text, "in time");
    assert.equal(quick.count, 1);
    assert.equal(talk.events.closed.length, 0);
});

test("an error reply keeps code and message, whatever it holds", () => {
    const talk = new Talk().enter();
    const asked = talk.ask("x"), newer = talk.ask("y"), unreadable = talk.ask("z");
    talk.answerError(1, code("limited"));
    assert.equal(asked.code, "limited");
    assert.equal(asked.message, "slow down");
    talk.answerError(2, 200);
    assert.equal(newer.code, "internal");
    talk.fromServer({ kind: Kind.reply, command: 1000, requestId: 3, error: true }, u8, 5);
    assert.equal(unreadable.code, "internal");
    assert.equal(talk.protocol.entered, true);
});

test("the heartbeat measures both ways, and silence ends the connection", () => {
    const talk = new Talk().enter(1000);
    talk.tick(1000);
    const [ping] = talk.sent();
    assert.equal(ping.header.command, commands.ping);
    talk.now += 20;
    talk.control(commands.pong, Pong, decode(Ping, ping.body));
    assert.equal(talk.protocol.rttMs, 20);
    talk.protocol.output.clear();
    talk.control(commands.ping, Ping, { sentUs: 99n, rttUs: 0 });
    assert.equal(decode(Pong, talk.sent()[0].body).sentUs, 99n);
    talk.protocol.output.clear();
    talk.tick(1000);
    assert.equal(decode(Ping, talk.sent()[0].body).rttUs, 20_000);
    const asked = talk.ask("never answered", 60_000);
    talk.tick(999);
    assert.equal(talk.events.away.length, 0);
    assert.equal(talk.protocol.nextTick, talk.now + 1);
    talk.tick(1);
    assert.equal(talk.events.away[0].code, "unavailable");
    assert.equal(asked.count, 0);
    assert.ok(talk.protocol.nextTick > talk.now + 50_000, "the deadline of the request is all that is due");
});

test("what is too large, too early, of the wrong type or too much is not sent", () => {
    const talk = new Talk();
    assert.equal(talk.ask("early").code, "unavailable");
    talk.enter();
    const large = talk.ask("x".repeat(300));
    assert.equal(large.code, "invalid");
    assert.match(large.message, /at most 200/);
    assert.throws(() => talk.protocol.send(Echo, { text: 5 }, Infinity, () => {}), { code: "invalid", message: /echo\.Echo\.text: 5 is not a text/ });
    assert.deepEqual(talk.sentIds(), []);
    talk.ask("first after all");
    assert.deepEqual(talk.sentIds(), [1]);

    const few = new Talk({ requestsMax: 1 }).enter();
    assert.equal(few.ask("1").count, 0);
    assert.equal(few.ask("2").code, "busy");
    const small = new Talk({ requestsBytesMax: 100 }).enter();
    assert.equal(small.ask("x".repeat(100)).count, 0);
    assert.equal(small.ask("2").code, "busy");
});

test("a server that breaks the protocol is left with a reason", () => {
    const breaks = {
        "a reply to nothing": (talk) => talk.answer(99, "?"),
        "a reply of another command": (talk) => talk.fromServer({ kind: Kind.reply, command: 1234, requestId: 1 }, Echo, { text: "?" }),
        "a request": (talk) => talk.fromServer({ kind: Kind.request, command: 1000, requestId: 1 }, Echo, { text: "?" }),
        "a frame of no length": (talk) => talk.receive(new Uint8Array(4)),
        "a frame of two gigabytes": (talk) => talk.receive(Uint8Array.of(0, 0, 0, 0x80)),
        "a flag that was not negotiated": (talk) => talk.receive(Uint8Array.of(3, 0, 0, 0, 0x0a, 0, 0)),
        "a varint that does not end": (talk) => talk.receive(Uint8Array.of(14, 0, 0, 0, 1, 0xe8, 3, ...new Array(11).fill(0xff))),
        "a push that does not decode": (talk) => talk.fromServer({ kind: Kind.push, command: 1300 }, u8, 5),
        "a ping that does not decode": (talk) => talk.control(commands.ping, u8, 5),
    };
    for (const [what, act] of Object.entries(breaks)) {
        const talk = new Talk().enter();
        const asked = talk.ask("x");
        act(talk);
        assert.equal(talk.events.closed.length, 1, what);
        assert.equal(talk.events.closed[0].code, "invalid", what);
        assert.notEqual(talk.events.closed[0].reason, "", what);
        assert.equal(asked.code, "deadline", what);
    }
});

test("control messages of a newer server are passed over", () => {
    const talk = new Talk().enter();
    talk.control(77, Echo, { text: "news" });
    assert.equal(talk.protocol.entered, true);
});

test("what ends the session finishes what waits", () => {
    const ends = {
        "a close": (talk) => {
            talk.control(commands.close, Close, { code: code("fenced"), reason: "newer login", reconnect: false });
            assert.deepEqual(talk.events.closed, [{ code: "fenced", reason: "newer login", reconnect: false }]);
        },
        "giving up": (talk) => {
            talk.protocol.lost("reset");
            talk.protocol.lost("reset again");
            assert.equal(talk.events.away.length, 1);
            talk.protocol.giveUp(talk.events.away[0]);
            assert.equal(talk.events.closed.length, 1);
        },
        "its own close": (talk) => talk.protocol.close(),
        "a new start": (talk) => talk.protocol.start("token", talk.now),
    };
    for (const [what, act] of Object.entries(ends)) {
        const talk = new Talk().enter();
        const asked = talk.ask("x");
        act(talk);
        assert.equal(asked.count, 1, what);
        assert.equal(asked.code, "deadline", what);
        assert.equal(talk.ask("after").code, "unavailable", what);
    }
});

test("a close of the server that allows to reconnect leaves the session alive", () => {
    const talk = new Talk().enter();
    const asked = talk.ask("x");
    talk.control(commands.close, Close, { code: code("unavailable"), reason: "stopping", reconnect: true });
    assert.equal(talk.protocol.away, true);
    assert.equal(asked.count, 0);
    assert.equal(talk.events.away[0].reason, "stopping");
});

test("half a frame of a lost connection is not joined with the next one's bytes", () => {
    const talk = new Talk().enter();
    talk.receive(messageBytes({ kind: Kind.push, command: 1300 }, Echo, { text: "cut" }).slice(0, 6));
    talk.protocol.lost("reset");
    talk.comeBack();
    talk.entered({ state: SessionState.resumed, next: 1n });
    assert.equal(talk.protocol.entered, true);
});
