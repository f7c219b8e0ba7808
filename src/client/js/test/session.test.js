// A session over several connections, as the client sees it: docs/protocol.md, Sessions. The twin of
// src/client/cpp/session_test.cpp.
import assert from "node:assert/strict";
import test from "node:test";

import { codes } from "../src/error.ts";
import { decode } from "../src/schema.ts";
import { commands, firstModuleCommand, Kind, sessionProof, SessionState } from "../src/wire.ts";
import { Echo, key, nonce, Talk } from "./talk.js";

const code = (name) => codes.indexOf(name);

test("a numbered message is processed once, and a hole ends the connection", () => {
    const talk = new Talk().enter();
    const asked = talk.ask("x");
    talk.answer(1, "X", 1);
    talk.push("a", 2);
    talk.push("a", 2);
    talk.answer(1, "X", 1);
    assert.deepEqual(talk.events.pushes, ["1300 a"]);
    assert.equal(asked.count, 1);
    assert.equal(talk.protocol.entered, true);
    talk.push("c", 4);
    assert.equal(talk.events.pushes.length, 1);
    assert.equal(talk.events.away.length, 1);
    assert.equal(talk.protocol.away, true);
    talk.push("b", 3);  // of a connection that is over
    assert.equal(talk.events.pushes.length, 1);
    assert.equal(talk.comeBack().received, 2n);
});

test("an acknowledgement rides on the next request, once", () => {
    const talk = new Talk().enter();
    talk.push("a", 1);
    talk.push("b", 2);
    talk.ask("x");
    talk.ask("y");
    assert.deepEqual(talk.sentAcks(), [2]);
    assert.equal(talk.sent()[0].header.session, 2);
    assert.equal(talk.protocol.nextTick, talk.now + 5000);
});

test("an acknowledgement goes alone after 64 messages, 16 KiB or 2 seconds", () => {
    const many = new Talk().enter();
    for (let number = 1; number < 64; number += 1) many.push("a", number);
    assert.deepEqual(many.sentAcks(), []);
    many.push("a", 64);
    assert.deepEqual(many.sentAcks(), [64]);

    const large = new Talk().enter();
    large.push("x".repeat(16_000), 1);
    assert.deepEqual(large.sentAcks(), []);
    large.push("x".repeat(400), 2);
    assert.deepEqual(large.sentAcks(), [2]);

    const slow = new Talk().enter();
    slow.push("a", 1);
    slow.now += 1000;
    slow.push("b", 2);
    assert.equal(slow.protocol.nextTick, slow.now + 1000);
    slow.tick(999);
    assert.deepEqual(slow.sentAcks(), []);
    slow.tick(1);
    assert.deepEqual(slow.sentAcks(), [2]);
    assert.equal(slow.protocol.nextTick, Infinity);

    const unnumbered = new Talk().enter();
    unnumbered.push("a", 0);
    unnumbered.ask("x");
    assert.deepEqual(unnumbered.sentAcks(), []);
    assert.equal(unnumbered.events.pushes.length, 1);
});

test("a resume proves the session and sends again what the server does not have", () => {
    const talk = new Talk({ device: "tablet" }).enter();
    const one = talk.ask("one"), two = talk.ask("two"), three = talk.ask("three", 1000), four = talk.ask("four");
    talk.answer(1, "ONE", 1);
    talk.protocol.lost("reset");
    assert.equal(talk.protocol.output.length, 0);
    const five = talk.ask("five");
    assert.equal(five.count, 0);
    talk.tick(1000);
    assert.equal(three.code, "deadline");

    const { proof, ...claim } = talk.comeBack();
    assert.deepEqual(claim, { token: "", player: 7n, session: 99n, received: 1n, answered: 1n, device: "tablet" });
    assert.deepEqual(proof, sessionProof(key, nonce, claim));

    talk.resumed(SessionState.resumed, 2, 2);
    assert.deepEqual(talk.events.resumed, [SessionState.resumed]);
    assert.deepEqual(talk.sentIds(), [3, 4, 5]);  // 3 was given up, and no id may be missing
    assert.equal(decode(Echo, talk.sent()[1].body).text, "four");
    ["TWO", "THREE", "FOUR", "FIVE"].forEach((text, index) => talk.answer(index + 2, text, index + 2));
    assert.equal(two.text, "TWO");
    assert.equal(three.count, 1);
    assert.equal(four.text, "FOUR");
    assert.equal(five.text, "FIVE");
    assert.equal(one.count, 1);
    assert.equal(talk.events.away.length, 1);
    assert.equal(talk.events.closed.length, 0);
});

test("a request that was refused before its turn is not done after a resume", () => {
    const talk = new Talk().enter();
    const slow = talk.ask("slow"), refused = talk.ask("refused");
    talk.answerError(2, code("limited"), { session: 1 });
    assert.equal(refused.code, "limited");
    talk.protocol.lost("reset");
    assert.equal(talk.comeBack().answered, 0n);
    talk.resumed(SessionState.gap, 0, 2);
    assert.deepEqual(talk.sentIds(), [1, 2]);
    assert.ok(talk.sent()[1].header.command < firstModuleCommand, "its id only");
    talk.answerError(2, code("unknown_command"), { command: 0, session: 2 });
    talk.answer(1, "SLOW", 3);
    assert.equal(slow.text, "SLOW");
    assert.equal(refused.count, 1);
    assert.equal(talk.protocol.entered, true);
});

test("after a gap the numbers go on where the server says", () => {
    const talk = new Talk().enter();
    const asked = talk.ask("x");
    talk.push("a", 1);
    talk.protocol.lost("reset");
    assert.equal(talk.comeBack().received, 1n);
    talk.resumed(SessionState.gap, 1, 1000);
    assert.deepEqual(talk.events.resumed, [SessionState.gap]);
    assert.deepEqual(talk.sentIds(), []);
    talk.answerError(1, code("deadline"), { command: 0, session: 1000 });  // done, answer lost
    assert.equal(asked.code, "deadline");
    talk.push("b", 1001);
    assert.deepEqual(talk.events.pushes, ["1300 a", "1300 b"]);
    assert.equal(talk.events.away.length, 1);
});

test("counts of the server that cannot be end the session", () => {
    const cases = {
        "requests that were not sent": (talk) => talk.resumed(SessionState.resumed, 3, 2),
        "requests forgotten that were answered": (talk) => talk.resumed(SessionState.gap, 0, 2),
        "messages left out": (talk) => talk.resumed(SessionState.resumed, 1, 3),
        "numbers that came before": (talk) => talk.resumed(SessionState.gap, 1, 1),
        "a fresh session": (talk) => talk.resumed(SessionState.fresh, 1, 2),
        "numbers before Entered": (talk) => talk.push("a", 2),
    };
    for (const [what, act] of Object.entries(cases)) {
        const talk = new Talk().enter();
        talk.ask("one");
        const two = talk.ask("two");
        talk.answer(1, "ONE", 1);
        talk.protocol.lost("reset");
        talk.comeBack();
        act(talk);
        assert.equal(talk.events.closed.length, 1, what);
        assert.equal(talk.events.closed[0].code, "invalid", what);
        assert.equal(two.code, "deadline", what);
    }
    const fresh = new Talk();
    fresh.protocol.start("t", fresh.now);
    fresh.hello();
    fresh.entered({ state: SessionState.resumed });
    assert.equal(fresh.events.closed[0].code, "invalid");
});

test("a resume that is refused is tried again or ends the session", () => {
    const refused = (act) => {
        const talk = new Talk().enter();
        const asked = talk.ask("x");
        talk.protocol.lost("reset");
        talk.comeBack();
        act(talk);
        return { talk, asked };
    };
    for (const name of ["busy", "unavailable", "deadline", "limited"]) {
        const { talk, asked } = refused((talk) => talk.refuse(code(name)));
        assert.equal(talk.protocol.away, true, name);
        assert.equal(talk.events.away.length, 2, name);
        assert.equal(asked.count, 0, name);
    }
    for (const [name, reconnect] of [["not_found", true], ["unauthenticated", true], ["fenced", false], ["forbidden", false]]) {
        const { talk, asked } = refused((talk) => talk.refuse(code(name)));
        assert.deepEqual(talk.events.closed, [{ code: name, reason: "no", reconnect }]);
        assert.equal(asked.code, "deadline", name);
    }
    const { talk } = refused((talk) => talk.tick(5000));
    assert.equal(talk.protocol.away, true, "silence");
    assert.equal(talk.events.away.length, 2, "silence");
});

test("requests made while away are bounded and keep their deadline", () => {
    const talk = new Talk().enter();
    talk.protocol.lost("reset");
    const asked = talk.ask("x", 1000);
    assert.equal(talk.protocol.nextTick, talk.now + 1000);
    talk.tick(1000);
    assert.equal(asked.code, "deadline");
    assert.equal(talk.protocol.away, true);
    let last;
    for (let i = 0; i < 65_536 && (last?.count ?? 0) === 0; i += 1) last = talk.ask("x");
    assert.equal(last.code, "busy");
});

test("who closes says that it leaves, but not to a connection that is gone", () => {
    const talk = new Talk().enter();
    talk.protocol.close();
    assert.equal(talk.sent().length, 1);
    assert.equal(talk.sent()[0].header.kind, Kind.control);
    assert.equal(talk.sent()[0].header.command, commands.leave);
    assert.equal(talk.protocol.inSession, false);
    const gone = new Talk().enter();
    gone.protocol.lost("reset");
    gone.protocol.close();
    assert.equal(gone.protocol.output.length, 0);
    assert.equal(gone.events.closed.length, 0);
});
