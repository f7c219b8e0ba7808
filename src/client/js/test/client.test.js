// The client with WebSockets of the test's own: connecting, resuming, and what the program hears and in which order.
// Back-off is 0 ms, so that timers only separate steps; every wait is for a condition, with a deadline.
import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../src/client.ts";
import { codes } from "../src/error.ts";
import { decode, push, text as textCodec } from "../src/schema.ts";
import { commands, Enter, Entered, Kind, Queued, subprotocol } from "../src/wire.ts";
import { Echo, entered, ErrorBody, helloBytes, messageBytes, messagesIn } from "./talk.js";

const Told = push(1300, "test.Told", () => [["text", textCodec]]);

async function until(what, isTrue) {
    const deadline = Date.now() + 10_000;
    while (!isTrue()) {
        if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
        await new Promise(setImmediate);
    }
}

/** Sockets to servers that the test plays. */
class Network {
    sockets = [];
    refused = new Set();
    silent = new Set();

    constructor() {
        const network = this;
        this.socketClass = class {
            constructor(url, protocol) {
                Object.assign(this, { url, protocol, received: [], open: false, ended: false });
                network.sockets.push(this);
                setImmediate(() => {
                    if (this.ended || network.silent.has(url)) return;
                    if (network.refused.has(url)) return this.end(1006);
                    this.open = true;
                    this.onopen({});
                });
            }
            send(bytes) {
                assert.equal(this.open, true, "sent on a socket that is not open");
                // The hello has no header: it is kept as it is.
                this.received.push(...(this.received.length === 0 ? [bytes] : messagesIn(bytes)));
            }
            close() {
                this.open = false;
                this.ended = true;
            }
            /** The server's side of it. */
            end(code, reason = "") {
                this.open = false;
                this.ended = true;
                this.onclose({ code, reason });
            }
            give(...messages) {
                for (const bytes of messages) this.onmessage({ data: bytes.slice().buffer });
            }
        };
    }
    get last() {
        return this.sockets.at(-1);
    }
    /** The hello and Enter of the latest socket, answered. */
    async letIn(fields = {}) {
        await until("a hello", () => this.last?.received.length === 1);
        this.last.give(helloBytes({ frameBytesMax: 1000 }));
        await until("an Enter", () => this.last.received.length === 2);
        const enter = decode(Enter, this.last.received[1].body);
        this.last.give(messageBytes({ kind: Kind.reply, command: commands.enter }, Entered, entered(fields)));
        return enter;
    }
    answer(requestId, text, session = 0) {
        this.last.give(messageBytes({ kind: Kind.reply, command: Echo.command, requestId, session }, Echo, { text }));
    }
    requests() {
        return this.last.received.filter(({ header }) => header?.command === Echo.command);
    }
}

const login = (...urls) => ({ token: "t", gateways: urls.map((websocket) => ({ name: "g", address: "", websocket, load: 0 })) });
const clientOf = (network, options = {}) =>
    new Client({ webSocket: network.socketClass, reconnect: { baseMs: 0 }, connectDeadlineMs: 50, ...options });

async function connected(network, options, ...urls) {
    const client = clientOf(network, options);
    const entering = client.connect(login(...(urls.length > 0 ? urls : ["ws://one"])));
    await network.letIn();
    assert.equal(await entering, 7n);
    return client;
}

test("connect offers the subprotocol, enters with the token and says who plays", async () => {
    const network = new Network();
    const client = clientOf(network, { device: "tablet" });
    assert.equal(client.player, null);
    const entering = client.connect(login("", "ws://one"));
    const enter = await network.letIn();
    assert.equal(enter.token, "t");
    assert.equal(enter.device, "tablet");
    assert.equal(await entering, 7n);
    assert.equal(client.player, 7n);
    assert.equal(client.connected, true);
    assert.deepEqual(network.sockets.map(({ url, protocol }) => [url, protocol]), [["ws://one", subprotocol]]);
    client.close();
    assert.equal(client.inSession, false);
    assert.equal(network.last.received.at(-1).header.command, commands.leave);
    assert.equal(network.last.ended, true);
});

test("a gateway that is not there or silent is passed over", async () => {
    const network = new Network();
    network.refused.add("ws://refuses");
    network.silent.add("ws://silent");
    const client = clientOf(network);
    const entering = client.connect(login("ws://refuses", "ws://silent", "ws://good"));
    await until("the third socket", () => network.last?.url === "ws://good");
    await network.letIn();
    await entering;
    client.close();
});

test("connect waits in the queue and tells", async () => {
    const network = new Network();
    const client = clientOf(network);
    const heard = [];
    client.onQueued((queued) => heard.push(queued));
    const entering = client.connect(login("ws://one"));
    await until("a hello", () => network.last?.received.length === 1);
    network.last.give(helloBytes());
    await until("an Enter", () => network.last.received.length === 2);
    network.last.give(messageBytes({ kind: Kind.control, command: commands.queued }, Queued, { position: 3, waitSeconds: 60 }));
    await until("the queue", () => heard.length === 1);
    assert.deepEqual(heard, [{ position: 3, waitSeconds: 60 }]);
    network.last.give(messageBytes({ kind: Kind.reply, command: commands.enter }, Entered, entered()));
    assert.equal(await entering, 7n);
    client.close();
});

test("a refused token is told and not tried elsewhere", async () => {
    const network = new Network();
    const client = clientOf(network);
    const closed = [];
    client.onClosed((close) => closed.push(close));
    const entering = client.connect(login("ws://one", "ws://two"));
    await until("a hello", () => network.last?.received.length === 1);
    network.last.give(helloBytes());
    const body = { code: codes.indexOf("unauthenticated"), message: "expired" };
    network.last.give(messageBytes({ kind: Kind.reply, command: commands.enter, error: true }, ErrorBody, body));
    await assert.rejects(entering, { name: "GameError", code: "unauthenticated", message: "expired" });
    assert.equal(network.sockets.length, 1);
    assert.deepEqual(closed, [], "it was never in");
    await assert.rejects(client.request(Echo, { text: "x" }), { code: "unavailable" });
});

test("without a gateway for WebSocket, or without WebSocket, connect says so", async () => {
    await assert.rejects(clientOf(new Network()).connect(login("", "")), { code: "invalid", message: /no gateway that takes WebSocket/ });
    if (globalThis.WebSocket === undefined)
        await assert.rejects(new Client().connect(login("ws://one")), { code: "invalid", message: /package ws/ });
    await assert.rejects(new Client().request(Echo, { text: "x" }), { code: "unavailable", message: "not connected; echo.Echo was not sent" });
});

test("requests of one turn leave in one write and get their replies", async () => {
    const network = new Network();
    const client = await connected(network);
    const writes = [];
    const socket = network.last, send = socket.send;
    socket.send = (bytes) => (writes.push(bytes), send.call(socket, bytes));
    const replies = [client.request(Echo, { text: "a" }), client.request(Echo, { text: "b" })];
    await until("two requests", () => network.requests().length === 2);
    assert.equal(writes.length, 1);
    network.answer(2, "B");
    network.answer(1, "A");
    assert.deepEqual(await Promise.all(replies), [{ text: "A" }, { text: "B" }]);
    await assert.rejects(client.request(Echo, { text: 5 }), { code: "invalid" });
    client.close();
});

test("a reply is heard before the pushes after it, and handlers can be taken away", async () => {
    const network = new Network();
    const client = await connected(network);
    const heard = [];
    const off = client.on(Told, ({ text }) => heard.push(text));
    const asking = (async () => heard.push((await client.request(Echo, { text: "x" })).text))();
    await until("the request", () => network.requests().length === 1);
    network.last.give(new Uint8Array([
        ...messageBytes({ kind: Kind.push, command: 1300 }, Told, { text: "before" }),
        ...messageBytes({ kind: Kind.reply, command: 1000, requestId: 1 }, Echo, { text: "reply" }),
        ...messageBytes({ kind: Kind.push, command: 1300 }, Told, { text: "after" }),
        ...messageBytes({ kind: Kind.push, command: 1999 }, Told, { text: "nobody listens" }),
    ]));
    await asking;
    await until("all three", () => heard.length === 3);
    assert.deepEqual(heard, ["before", "reply", "after"]);
    off();
    network.last.give(messageBytes({ kind: Kind.push, command: 1300 }, Told, { text: "later" }));
    await new Promise(setImmediate);
    assert.equal(heard.length, 3);
    client.close();
});

test("a lost connection is resumed through the next gateway and requests only take longer", async () => {
    const network = new Network();
    const client = await connected(network, {}, "ws://one", "ws://two");
    const events = [];
    client.onAway((close) => events.push(close.code));
    client.onResumed((gap) => events.push(gap ? "gap" : "resumed"));
    client.onClosed(() => events.push("closed"));
    const before = client.request(Echo, { text: "before" });
    await until("the request", () => network.requests().length === 1);
    network.last.end(1006);
    assert.equal(client.connected, false);
    assert.equal(client.inSession, true);
    const during = client.request(Echo, { text: "during" });
    await until("another socket", () => network.sockets.length === 2);
    assert.equal(network.last.url, "ws://two");
    const enter = await network.letIn({ state: 1, received: 1n, next: 1n });
    assert.equal(enter.session, 99n);
    assert.equal(enter.proof.length, 32);
    await until("the request made while away", () => network.requests().length === 1);
    network.answer(1, "BEFORE", 1);
    network.answer(2, "DURING", 2);
    assert.deepEqual(await Promise.all([before, during]), [{ text: "BEFORE" }, { text: "DURING" }]);
    assert.deepEqual(events, ["unavailable", "resumed"]);
    assert.equal(client.connected, true);

    network.last.end(1006);
    await until("a third socket", () => network.sockets.length === 3);
    await network.letIn({ state: 2, received: 2n, next: 1000n });
    await until("a gap", () => events.length === 4);
    assert.deepEqual(events.slice(2), ["unavailable", "gap"]);
    client.close();
});

test("nobody to resume with ends requests at their deadline and then the session", async () => {
    const network = new Network();
    const client = await connected(network, { requestDeadlineMs: 20, reconnect: { baseMs: 1, capMs: 1, resumeForMs: 100 } });
    const closed = [];
    client.onClosed((close) => closed.push(close));
    network.refused.add("ws://one");
    network.last.end(1006, "gone");
    await assert.rejects(client.request(Echo, { text: "x" }), { code: "deadline" });
    await until("the session is over", () => closed.length === 1);
    assert.deepEqual(closed[0], { code: "unavailable", reason: "no gateway resumed the session in time", reconnect: true });
    assert.ok(network.sockets.length > 2, "it tried more than once");
    assert.equal(client.inSession, false);
});

test("with resumes: false a lost connection is the end of the session", async () => {
    const network = new Network();
    const client = await connected(network, { resumes: false });
    const closed = [];
    client.onClosed((close) => closed.push(close.code));
    network.last.end(1006);
    await until("closed", () => closed.length === 1);
    assert.equal(network.sockets.length, 1);
});

test("text is no part of the protocol, and a push that does not decode ends the session", async () => {
    const text = new Network();
    const one = await connected(text);
    text.last.onmessage({ data: "hello" });
    assert.equal(one.connected, false);
    one.close();

    const network = new Network();
    const client = await connected(network);
    const closed = [];
    client.onClosed((close) => closed.push(close.code));
    client.on(Told, () => {});
    network.last.give(messageBytes({ kind: Kind.push, command: 1300 }, textCodec, "not a structure"));
    await until("closed", () => closed.length === 1);
    assert.deepEqual(closed, ["invalid"]);
});

test("close while it connects or comes back leaves nothing behind", async () => {
    const network = new Network();
    network.silent.add("ws://silent");
    const client = clientOf(network, { connectDeadlineMs: 60_000 });
    const entering = client.connect(login("ws://silent"));
    await until("a socket", () => network.sockets.length === 1);
    client.close();
    await assert.rejects(entering, { code: "unavailable" });
    assert.equal(network.last.ended, true);

    const other = new Network();
    const back = await connected(other);
    other.last.end(1006);
    back.close();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.equal(other.sockets.length, 1, "no try after close()");
});

test("connect again after the session is over, with the handlers of before", async () => {
    const network = new Network();
    const client = await connected(network);
    const heard = [];
    client.on(Told, ({ text }) => heard.push(text));
    const old = network.last;
    const entering = client.connect(login("ws://one"));
    assert.equal(old.ended, true);
    await until("a second socket", () => network.sockets.length === 2);
    await network.letIn({ player: 8n });
    assert.equal(await entering, 8n);
    network.last.give(messageBytes({ kind: Kind.push, command: 1300 }, Told, { text: "hi" }));
    await until("a push", () => heard.length === 1);
    client.close();
});
