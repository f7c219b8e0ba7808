// The bytes of docs/protocol.md, made again by this kit and compared with the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { chat, echo } from "../generated/messages.ts";
import { codes } from "../src/error.ts";
import { Writer } from "../src/msgpack.ts";
import { decode } from "../src/schema.ts";
import {
    Ack, ClientHello, commands, cutFrame, decodeClose, decodeError, Enter, Entered, Kind, Nothing, parseMessage, parseServerHello, Ping,
    Pong, Queued, ServerHello, sessionProof, writeHello, writeMessage,
} from "../src/wire.ts";

const page = readFileSync(`${process.env.GS_SOURCE_DIR ?? "."}/docs/protocol.md`, "utf8");
const blocks = new Map([...page.matchAll(/^```hex (\S+)\n(.*?)^```$/gms)].map(([, name, text]) =>
    [name, text.replaceAll(/;.*$/gm, "").replaceAll(/\s/g, "")]));

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytesOf = (name) => new Uint8Array(Buffer.from(blocks.get(name), "hex"));
const payloadOf = (name) => cutFrame(bytesOf(name), 0, 1 << 20);
const messageOf = (name) => parseMessage(payloadOf(name));
function written(write) {
    const out = new Writer();
    write(out);
    return hex(out.take());
}
const message = (header, codec, body) => written((out) => writeMessage(out, header, codec, body));
const key = new Uint8Array(32).fill(0x11);
const nonce = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
/** Of Noise, which this kit does not speak: it has TLS; and of features that it does not offer. */
const others = ["secure-certificate", "secure-client-hello", "secure-end", "secure-enter", "secure-server-hello",
    "sealed-checksum-time", "sealed-compressed"];
const noBytes = new Uint8Array(0);

test("every block of the page is looked at here", () => {
    assert.deepEqual([...blocks.keys()].sort(), [
        "ack", "client-hello", "close", "echo-reply", "echo-request", "echo-request-ack", "enter", "enter-resume", "entered", "error-reply",
        "leave", "ping", "pong", "queued", "said-push", "server-hello", "server-hello-refused",
        ...others,
    ].sort());
});

test("the codes of errors are those of the page", () => {
    const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \| \d+ \|/gm)].map(([, number, name]) => [Number(number), name]);
    assert.deepEqual(rows, codes.map((name, number) => [number, name]));
});

test("what a client sends", () => {
    assert.equal(written((out) => writeHello(out, ClientHello,
        { protocolMin: 1, protocolMax: 1, clientVersion: "demo 1.0", features: 0n, handshake: noBytes })), blocks.get("client-hello"));
    const enter = { kind: Kind.request, command: commands.enter, requestId: 0 };
    assert.equal(message(enter, Enter, { ...Enter.zero(), token: "TOKEN" }), blocks.get("enter"));
    const claim = { player: 7n, session: 1099511627785n, received: 41n, answered: 12n };
    assert.equal(message(enter, Enter, { token: "", ...claim, proof: sessionProof(key, nonce, claim), device: "" }), blocks.get("enter-resume"));
    const request = { kind: Kind.request, command: echo.Echo.command };
    assert.equal(message({ ...request, requestId: 1 }, echo.Echo, { text: "hello" }), blocks.get("echo-request"));
    assert.equal(message({ ...request, requestId: 2, session: 1 }, echo.Echo, { text: "hello" }), blocks.get("echo-request-ack"));
    const control = (command, codec, body) => message({ kind: Kind.control, command }, codec, body);
    assert.equal(control(commands.ack, Ack, { received: 300n }), blocks.get("ack"));
    assert.equal(control(commands.leave, Nothing, {}), blocks.get("leave"));
    assert.equal(control(commands.ping, Ping, { sentUs: 1_000_000n, rttUs: 750 }), blocks.get("ping"));
    assert.equal(control(commands.pong, Pong, { sentUs: 1_000_000n }), blocks.get("pong"));
});

test("what a server sends", () => {
    assert.deepEqual(parseServerHello(payloadOf("server-hello")), { ...ServerHello.zero(), heartbeatMs: 15_000, frameBytesMax: 16_384, nonce });
    const refused = parseServerHello(payloadOf("server-hello-refused"));
    assert.equal(refused.code, 1);
    assert.equal(refused.message, "no");
    assert.deepEqual(decode(Entered, messageOf("entered").body),
        { player: 7n, serverTimeMs: 1795296830000n, session: 1099511627785n, key, state: 0, received: 0n, next: 1n });
    const reply = messageOf("echo-reply");
    assert.deepEqual(reply.header, { kind: Kind.reply, command: 1000, error: false, state: false, requestId: 1, session: 1 });
    assert.deepEqual(decode(echo.Echo, reply.body), { text: "hello" });
    const said = messageOf("said-push");
    assert.equal(said.header.command, chat.Said.command);
    assert.deepEqual(decode(chat.Said, said.body), { channel: "lobby", line: { number: 3n, from: 7n, text: "hi" } });
    assert.deepEqual(decode(Queued, messageOf("queued").body), { position: 12, waitSeconds: 180 });
    const error = messageOf("error-reply");
    assert.deepEqual(error.header, { kind: Kind.reply, command: 999, error: true, state: false, requestId: 300, session: 1000 });
    assert.deepEqual({ ...decodeError(error.body), message: decodeError(error.body).message },
        { name: "GameError", code: "unknown_command", message: "unknown" });
    assert.deepEqual(decodeClose(messageOf("close").body), { code: "fenced", reason: "elsewhere", reconnect: false });
});
