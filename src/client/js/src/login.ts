// Asks the login role for a token over HTTP. Rejects with GameError: what the server answered (unauthenticated, conflict,
// limited ...), or unavailable and deadline of the network.
import { codes, GameError } from "./error.js";
import type { Code } from "./error.js";

export interface Gateway {
    name: string;
    /** host:port of TCP. */
    address: string;
    /** The URL for WebSocket; empty when this gateway has none. */
    websocket: string;
    /** Players. */
    load: number;
}

export interface Login {
    token: string;
    /** Seconds since 1970. A token is needed to enter, not to stay. */
    expiresAt: number;
    player: bigint;
    /** Of guests: brings the same player back. Keep it as a password. */
    guestKey: string;
    /** Least loaded first. */
    gateways: Gateway[];
}

/** A new guest, or with the key of an earlier login that one again. `server` is for example "http://127.0.0.1:7080". */
export function guest(server: string, guestKey = ""): Promise<Login> {
    return logIn(server, "/v1/guest", guestKey === "" ? {} : { guest_key: guestKey });
}
/** A new account. */
export function register(server: string, name: string, password: string): Promise<Login> {
    return logIn(server, "/v1/register", { name, password });
}
export function login(server: string, name: string, password: string): Promise<Login> {
    return logIn(server, "/v1/login", { name, password });
}
export async function gateways(server: string): Promise<Gateway[]> {
    return readAnswer(await ask(server, "/v1/gateways"), (answer) => answer["gateways"].map(gatewayOf));
}

const deadlineMs = 10_000;

// Answers are checked by use: whatever is missing or of another type ends in readAnswer.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

async function logIn(server: string, path: string, body: object): Promise<Login> {
    return readAnswer(await ask(server, path, body), (answer) => ({
        token: textOf(answer["token"]),
        expiresAt: Number(answer["expires_at"]),
        player: BigInt(textOf(answer["player"])),
        guestKey: textOf(answer["guest_key"] ?? ""),
        gateways: answer["gateways"].map(gatewayOf),
    }));
}

function textOf(value: unknown): string {
    if (typeof value !== "string") throw new TypeError(`${String(value)} is not a text`);
    return value;
}
function gatewayOf(entry: Json): Gateway {
    return {
        name: textOf(entry["name"]),
        address: textOf(entry["address"]),
        websocket: textOf(entry["websocket"] ?? ""),
        load: Number(entry["load"] ?? 0),
    };
}

function readAnswer<T>(answer: Json, read: (answer: Json) => T): T {
    try {
        return read(answer);
    } catch (problem) {
        throw new GameError("invalid", `the login server's answer is not as expected: ${String(problem)}`);
    }
}

async function ask(server: string, path: string, body?: object): Promise<Json> {
    const url = server.replace(/\/+$/, "") + path;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), deadlineMs);
    try {
        const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
        const response = await fetch(url, { ...(body === undefined ? {} : post), signal: abort.signal });
        const text = await response.text();
        if (!response.ok) throw errorOf(response.status, text);
        return readAnswer(text, JSON.parse);
    } catch (problem) {
        if (problem instanceof GameError) throw problem;
        if (abort.signal.aborted) throw new GameError("deadline", `${url} did not answer within ${deadlineMs} ms`);
        throw new GameError("unavailable", `${url} cannot be reached: ${String(problem)}`);
    } finally {
        clearTimeout(timer);
    }
}

/** The error that an answer other than 2xx holds. */
function errorOf(status: number, text: string): GameError {
    try {
        const { code, message } = JSON.parse(text).error;
        if (codes.includes(code)) return new GameError(code as Code, textOf(message));
    } catch {
        // not one of ours: a proxy's page, for example
    }
    return new GameError(status >= 500 ? "unavailable" : "invalid", `the login server answered with HTTP status ${status}`);
}
