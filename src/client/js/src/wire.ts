// Frames, headers and the server's own messages: docs/protocol.md.
import { codeOf, GameError } from "./error.js";
import type { Code } from "./error.js";
import type { Writer } from "./msgpack.js";
import { binary, boolean, decode, struct, text, u16, u32, u64, u8 } from "./schema.js";
import type { Codec, Struct } from "./schema.js";
import { hmacSha256 } from "./sha256.js";

export const protocolVersion = 1;
export const subprotocol = "gameserver.v1";
export const firstModuleCommand = 1000;
export const headerBytesMax = 23;
const prefixBytes = 4;
const magic = Uint8Array.of(0x47, 0x53, 0x50, 0x31);  // GSP1

// --- frames ----------------------------------------------------------------------------------------------------------

/** Appends a frame that holds what `write` writes. */
export function writeFrame(out: Writer, write: () => void): void {
    const begin = out.length;
    out.raw(new Uint8Array(prefixBytes));
    write();
    out.patchLength(begin, out.length - begin - prefixBytes);
}

/** The length that the prefix at `at` claims, or null when it is not whole yet. */
export function frameLength(bytes: Uint8Array, at: number): number | null {
    if (bytes.length - at < prefixBytes) return null;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** The payload of the frame at `at`, or null when it is not whole yet. Throws when it is longer than `most`. */
export function cutFrame(bytes: Uint8Array, at: number, most: number): Uint8Array | null {
    const length = frameLength(bytes, at);
    if (length === null) return null;
    if (length > most) throw new GameError("invalid", `the server sent a frame of ${length} bytes; at most ${most} are accepted`);
    const end = at + prefixBytes + length;
    return end > bytes.length ? null : bytes.subarray(at + prefixBytes, end);
}
export function frameBytes(payload: Uint8Array): number {
    return prefixBytes + payload.length;
}

// --- messages --------------------------------------------------------------------------------------------------------

export enum Kind { request = 0, reply = 1, push = 2, control = 3 }
const flagError = 0x04, flagSession = 0x10, flagSecret = 0x20, flagState = 0x80;
const flagsKnown = 0x03 | flagError | flagSession | flagSecret | flagState;

export interface Header {
    kind: Kind;
    command: number;
    error?: boolean;
    requestId?: number;
    /** Of a reply or push: its number; of a request: the acknowledgement; 0: none. */
    session?: number;
    state?: boolean;
}
export interface Message {
    header: Required<Header>;
    body: Uint8Array;
    bytes: number;
}

function writeVarint(out: Writer, value: number): void {
    for (; value >= 0x80; value = Math.floor(value / 0x80)) out.byte((value % 0x80) | 0x80);
    out.byte(value);
}

export function writeHeader(out: Writer, header: Header): void {
    const session = header.session ?? 0;
    out.byte(header.kind | (header.error ? flagError : 0) | (session > 0 ? flagSession : 0) | (header.state ? flagState : 0));
    out.byte(header.command & 0xff);
    out.byte(header.command >> 8);
    if (header.kind === Kind.request || header.kind === Kind.reply) writeVarint(out, header.requestId ?? 0);
    if (session > 0) writeVarint(out, session);
}

/** A whole frame holding one message. */
export function writeMessage<T>(out: Writer, header: Header, codec: Codec<T>, body: T): void {
    writeFrame(out, () => {
        writeHeader(out, header);
        codec.write(out, body);
    });
}

export function parseMessage(payload: Uint8Array): Message {
    const wrong = (why: string) => new GameError("invalid", `the server sent a message that cannot be read: ${why}`);
    if (payload.length < 3) throw wrong("it is shorter than its header");
    let at = 3;
    // Counters of one session: they stay far below the 53 bits of a number.
    const varint = (what: string): number => {
        let value = 0;
        for (let scale = 1; at < payload.length; scale *= 0x80) {
            const byte = payload[at]!;
            at += 1;
            value += (byte & 0x7f) * scale;
            if (value > Number.MAX_SAFE_INTEGER) break;
            if (byte < 0x80) return value;
        }
        throw wrong(`${what} does not end`);
    };
    const flags = payload[0]!;
    if ((flags & ~flagsKnown) !== 0) throw wrong("a header flag is set that was not negotiated");
    const kind: Kind = flags & 0x03;
    const header = {
        kind,
        command: payload[1]! | (payload[2]! << 8),
        error: (flags & flagError) !== 0,
        state: (flags & flagState) !== 0,
        requestId: kind === Kind.request || kind === Kind.reply ? varint("a request id") : 0,
        session: (flags & flagSession) !== 0 ? varint("a session number") : 0,
    };
    return { header, body: payload.subarray(at), bytes: payload.length };
}

// --- the server's own messages ---------------------------------------------------------------------------------------

export interface ClientHello {
    protocolMin: number;
    protocolMax: number;
    clientVersion: string;
    features: bigint;
    handshake: Uint8Array;
}
export const ClientHello: Struct<ClientHello> = struct("ClientHello", () => [
    ["protocolMin", u16], ["protocolMax", u16], ["clientVersion", text], ["features", u64], ["handshake", binary],
]);
export interface ServerHello {
    code: number;
    message: string;
    protocol: number;
    features: bigint;
    security: string;
    heartbeatMs: number;
    frameBytesMax: number;
    handshake: Uint8Array;
    /** Of this connection: a proof of a session is made for it and good for it only. */
    nonce: Uint8Array;
}
export const ServerHello: Struct<ServerHello> = struct("ServerHello", () => [
    ["code", u8], ["message", text], ["protocol", u16, () => protocolVersion], ["features", u64], ["security", text, () => "none"],
    ["heartbeatMs", u32], ["frameBytesMax", u32], ["handshake", binary], ["nonce", binary],
]);

export enum SessionState { fresh = 0, resumed = 1, gap = 2 }
export interface Entered {
    player: bigint;
    serverTimeMs: bigint;
    session: bigint;
    key: Uint8Array;
    state: number;
    received: bigint;
    next: bigint;
}
export const Entered: Struct<Entered> = struct("Entered", () => [
    ["player", u64], ["serverTimeMs", u64], ["session", u64], ["key", binary], ["state", u8], ["received", u64], ["next", u64, () => 1n],
]);
export interface Enter {
    token: string;
    player: bigint;
    session: bigint;
    received: bigint;
    answered: bigint;
    proof: Uint8Array;
    device: string;
}
export const Enter: Struct<Enter> = struct("Enter", () => [
    ["token", text], ["player", u64], ["session", u64], ["received", u64], ["answered", u64], ["proof", binary], ["device", text],
]);
export interface Ping {
    sentUs: bigint;
    rttUs: number;
}
export const Ping: Struct<Ping> = struct("Ping", () => [["sentUs", u64], ["rttUs", u32]]);
export interface Pong {
    sentUs: bigint;
}
export const Pong: Struct<Pong> = struct("Pong", () => [["sentUs", u64]]);
export interface Ack {
    received: bigint;
}
export const Ack: Struct<Ack> = struct("Ack", () => [["received", u64]]);
/** The server is full: the player waits, and hears this again every few seconds. */
export interface Queued {
    /** 1: the next one. */
    position: number;
    /** About; 0: nobody knows. */
    waitSeconds: number;
}
export const Queued: Struct<Queued> = struct("Queued", () => [["position", u32], ["waitSeconds", u32]]);
export interface Nothing {}
export const Nothing: Struct<Nothing> = struct("Nothing", () => []);
export const commands = { enter: 1, ping: 2, pong: 3, close: 4, ack: 5, leave: 6, queued: 7 } as const;

/** Why a connection, or a session, is over. */
export interface Close {
    code: Code;
    reason: string;
    /** False: trying again will not help (a newer login, a protocol that is not understood). */
    reconnect: boolean;
    /** With the code `outdated`: where the player gets a newer client. */
    upgrade?: string;
}
const CloseBody = struct<{ code: number; reason: string; reconnect: boolean; upgrade: string }>("Close", () => [
    ["code", u8], ["reason", text], ["reconnect", boolean, () => true], ["upgrade", text],
]);
export function decodeClose(body: Uint8Array): Close {
    const { code, reason, reconnect, upgrade } = decode(CloseBody, body);
    return { code: codeOf(code), reason, reconnect, ...(upgrade === "" ? {} : { upgrade }) };
}

const ErrorBody = struct<{ code: number; message: string }>("Error", () => [["code", u8], ["message", text]]);
/** Does not throw: an error that cannot be read is an error still. */
export function decodeError(body: Uint8Array): GameError {
    try {
        const { code, message } = decode(ErrorBody, body);
        if (code !== 0) return new GameError(codeOf(code), message);
    } catch {
        // told below
    }
    return new GameError("internal", "the server sent an error that does not decode");
}

export function writeHello<T>(out: Writer, codec: Codec<T>, hello: T): void {
    writeFrame(out, () => {
        out.raw(magic);
        codec.write(out, hello);
    });
}
/** Throws when the bytes are no hello. */
export function parseServerHello(payload: Uint8Array): ServerHello {
    if (magic.some((byte, index) => payload[index] !== byte))
        throw new GameError("invalid", "what answers there is not a gateway: its first bytes are no hello. Check the address");
    return decode(ServerHello, payload.subarray(magic.length));
}

/** HMAC-SHA256 by the session's key over the nonce, then player, session, received and answered as 8 bytes each. */
export function sessionProof(key: Uint8Array, nonce: Uint8Array, enter: Omit<Enter, "token" | "proof" | "device">): Uint8Array {
    const message = new Uint8Array(nonce.length + 32);
    message.set(nonce);
    const view = new DataView(message.buffer);
    [enter.player, enter.session, enter.received, enter.answered].forEach((number, index) =>
        view.setBigUint64(nonce.length + 8 * index, number, true));
    return hmacSha256(key, message);
}
