// A player's session with a gateway, without I/O: received bytes in, replies and pushes out; requests in, bytes to send
// out. It may span several connections: when one is lost the session is away, and resume() brings it back.
// Owner: whoever moves the bytes and tells the time, in milliseconds of one clock that never goes back. Callbacks may call
// send(), close() and giveUp(), and must not start or resume it.
// Errors of a reply: what the server answered; unavailable: never sent; deadline: sent, whether it was done is unknown;
// busy: a bound of this object; invalid: longer than the server takes.
import { codeOf, GameError } from "./error.js";
import type { Code } from "./error.js";
import { Writer } from "./msgpack.js";
import { decode } from "./schema.js";
import type { Codec } from "./schema.js";
import { Session } from "./session.js";
import type { Pending } from "./session.js";
import {
    ClientHello, commands, cutFrame, decodeClose, decodeError, Enter, Entered, firstModuleCommand, frameBytes, headerBytesMax,
    Kind, Nothing, parseMessage, parseServerHello, Ping, Pong, protocolVersion, Queued, SessionState, writeHello, writeMessage,
} from "./wire.js";
import type { Close, Message, ServerHello } from "./wire.js";

export interface ProtocolEvents {
    /** A fresh session begins. */
    onEntered(entered: Entered): void;
    /** The session goes on; `entered.state` tells whether pushes may be missing (gap). */
    onResumed(entered: Entered): void;
    /** The server is full: the player waits to be let in, and hears this again and again. */
    onQueued(queued: Queued): void;
    /** A GameError that it throws ends the session: the server broke the protocol. */
    onPush(command: number, body: Uint8Array): void;
    /**
     * The connection is over, the session is not: connect anew, to any gateway, and call resume(). It is also what comes
     * of a resume that failed and may be tried again.
     */
    onAway(close: Close): void;
    /**
     * The session is over, or was never there: it says why the player was not let in. Not after close().
     * `close.reconnect` tells whether start() with a token makes sense.
     */
    onClosed(close: Close): void;
}

export interface ProtocolOptions {
    clientVersion: string;
    /** A name for what it runs on, which a ban may name. */
    device: string;
    /** From start() or resume() to the player being in, and from each word of the queue to the next. */
    enterDeadlineMs: number;
    /** Of what the server sends. */
    frameBytesMax: number;
    /** That the server has not answered. */
    requestsMax: number;
    requestsBytesMax: number;
}
export const defaultProtocolOptions: ProtocolOptions = {
    clientVersion: "js",
    device: "",
    enterDeadlineMs: 5000,
    frameBytesMax: 1 << 20,
    requestsMax: 65_536,
    requestsBytesMax: 16 << 20,
};

type State = "idle" | "hello" | "entering" | "entered" | "away" | "closed";

const worthAnotherTry: readonly Code[] = ["busy", "unavailable", "limited", "deadline"];

function refusal(code: Code, reason: string): Close {
    return { code, reason, reconnect: worthAnotherTry.includes(code) };
}
/** Why a session cannot be resumed. A new login may still help, unless it was one that ended the session. */
function resumeRefusal(code: Code, reason: string): Close {
    return { code, reason, reconnect: code === "unauthenticated" || code === "not_found" };
}

const microsecondsOf = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1000));
const uint32Max = 0xffff_ffff;

export class Protocol {
    #state: State = "idle";
    #session: Session | null = null;
    #token = "";
    #input: Uint8Array = new Uint8Array(0);
    #enterBy = Infinity;
    #lastHeard = 0;
    #nextPing = Infinity;
    #heartbeatMs = 0;
    #rttMs: number | null = null;
    #sentFrameBytesMax = 0;
    readonly #options: ProtocolOptions;

    /** What is to be sent; the owner takes it away. */
    readonly output = new Writer();

    constructor(private readonly events: ProtocolEvents, options: Partial<ProtocolOptions> = {}) {
        this.#options = { ...defaultProtocolOptions, ...options };
    }

    /** The connection is good and the player is in. */
    get entered(): boolean {
        return this.#state === "entered";
    }
    /** There is no connection, and resume() may be called. */
    get away(): boolean {
        return this.#state === "away";
    }
    get closed(): boolean {
        return this.#state === "closed";
    }
    /** A session exists, be it away or not. */
    get inSession(): boolean {
        return this.#session !== null;
    }
    /** Round trip of the last heartbeat; null before the first answer. */
    get rttMs(): number | null {
        return this.#rttMs;
    }

    /** On a new connection: says hello, then enters with the token for a fresh session. An earlier one is over. */
    start(token: string, now: number): void {
        this.#leaveConnection("idle");
        this.#endSession();
        this.#token = token;
        this.#sayHello(now);
    }
    /** On a new connection, of a session that is away: says hello, then goes on. */
    resume(now: number): void {
        if (this.away) this.#sayHello(now);
    }

    receive(bytes: Uint8Array, now: number): void {
        if (!this.#connected) return;
        this.#lastHeard = now;
        let stream = bytes;
        if (this.#input.length > 0) {
            stream = new Uint8Array(this.#input.length + bytes.length);
            stream.set(this.#input);
            stream.set(bytes, this.#input.length);
        }
        let used = 0;
        try {
            while (this.#connected) {
                const payload = cutFrame(stream, used, this.#options.frameBytesMax);
                if (payload === null) break;
                used += frameBytes(payload);
                this.#takeFrame(payload, now);
            }
        } catch (error) {
            if (!(error instanceof GameError)) throw error;
            this.fail(error.message);
        }
        if (this.#connected) this.#input = stream.slice(used);
    }

    /** Does what is due: heartbeat, silence, deadlines, acknowledgement. Call it at nextTick or later. */
    tick(now: number): void {
        if (now >= this.#enterBy) {
            this.#end(refusal("deadline", `the server did not let the player in within ${this.#options.enterDeadlineMs} ms`));
        } else if (this.#connected && this.#heartbeatMs > 0 && now - this.#lastHeard >= 2 * this.#heartbeatMs) {
            this.#end(refusal("unavailable", `nothing was heard from the server for ${2 * this.#heartbeatMs} ms`));
        }
        if (now >= this.#nextPing) this.#sendPing(now);
        const session = this.#session;
        if (session === null) return;
        if (this.entered && now >= session.acknowledgeBy) session.writeAck(this.output);
        if (now < session.earliestDeadline) return;
        for (const pending of session.expire(now))
            pending(new GameError("deadline", "no answer in time; whether it was done is unknown"));
    }
    get nextTick(): number {
        if (this.closed) return Infinity;
        const session = this.#session;
        const deadline = session?.earliestDeadline ?? Infinity;
        if (!this.#connected) return deadline;
        const acknowledge = this.entered ? session?.acknowledgeBy ?? Infinity : Infinity;
        const silence = this.#heartbeatMs > 0 ? this.#lastHeard + 2 * this.#heartbeatMs : Infinity;
        return Math.min(deadline, this.#enterBy, this.#nextPing, acknowledge, silence);
    }

    /** While the session is away the request waits, as long as its deadline allows. Throws when `message` does not encode. */
    send<T>(codec: Codec<T> & { command: number }, message: T, deadline: number, pending: Pending): void {
        const writer = new Writer();
        codec.write(writer, message);
        const body = writer.take();
        const refused = this.#refuse(body.length, codec.name);
        if (refused !== null) return pending(refused);
        const session = this.#session!;
        const id = session.add({ command: codec.command, body, deadline, pending });
        if (this.entered) session.write(this.output, id);
    }

    /** The transport ended. */
    lost(reason: string): void {
        this.#end({ code: "unavailable", reason: `the connection was lost: ${reason}`, reconnect: true });
    }
    /** The server broke the protocol. */
    fail(reason: string): void {
        this.giveUp({ code: "invalid", reason, reconnect: false });
    }
    /** Nobody will resume: the session is over, as if the server had said so. */
    giveUp(close: Close): void {
        if (!this.#connected && !this.away) return;
        this.#leaveConnection("closed");
        this.#endSession();
        this.events.onClosed(close);
    }
    /** This side ends it: what waits is finished, onClosed is not called. The last word to the server is in `output`. */
    close(): void {
        if (this.entered) writeMessage(this.output, { kind: Kind.control, command: commands.leave }, Nothing, {});
        this.#leaveConnection("closed");
        this.#endSession();
    }

    get #connected(): boolean {
        return this.#state === "hello" || this.#state === "entering" || this.#state === "entered";
    }

    #sayHello(now: number): void {
        this.#state = "hello";
        this.#lastHeard = now;
        this.#enterBy = now + this.#options.enterDeadlineMs;
        this.#input = new Uint8Array(0);
        this.output.clear();
        writeHello(this.output, ClientHello, {
            protocolMin: protocolVersion,
            protocolMax: protocolVersion,
            clientVersion: this.#options.clientVersion,
            features: 0n,
            handshake: new Uint8Array(0),
        });
    }

    #takeFrame(payload: Uint8Array, now: number): void {
        if (this.#state === "hello") return this.#takeHello(parseServerHello(payload), now);
        this.#takeMessage(parseMessage(payload), now);
        if (this.entered && this.#session!.mustAcknowledge) this.#session!.writeAck(this.output);
    }

    #takeMessage(message: Message, now: number): void {
        const { kind, command } = message.header;
        if (kind === Kind.request) throw new GameError("invalid", "the server sent a request; only clients do");
        if (kind === Kind.reply) {
            if (this.#isNext(message, now)) this.#takeReply(message, now);
        } else if (command < firstModuleCommand) {
            this.#takeControl(message, now);
        } else if (this.#isNext(message, now)) {
            this.events.onPush(command, message.body);
        }
    }

    /** Also true for what has no number. */
    #isNext(message: Message, now: number): boolean {
        const number = message.header.session;
        if (number === 0) return true;
        if (!this.entered) throw new GameError("invalid", "the server sent a numbered message before it let the player in");
        const arrival = this.#session!.receive(number, message.bytes, now);
        if (arrival === "hole")
            this.#end({ code: "unavailable", reason: `message ${number} came before an earlier one: something is missing`, reconnect: true });
        return arrival === "next";
    }

    #takeHello(hello: ServerHello, now: number): void {
        if (hello.code !== 0) return this.#end(refusal(codeOf(hello.code), hello.message));
        if (hello.protocol !== protocolVersion || hello.security !== "none") {
            throw new GameError("invalid", `the server chose protocol ${hello.protocol} with security '${hello.security}'; ` +
                `this client has protocol ${protocolVersion} with security 'none'`);
        }
        this.#heartbeatMs = hello.heartbeatMs;
        this.#sentFrameBytesMax = hello.frameBytesMax;
        this.#state = "entering";
        const { device } = this.#options;
        const enter = this.#session?.resumption(hello.nonce, device) ?? { ...Enter.zero(), token: this.#token, device };
        this.#token = "";
        writeMessage(this.output, { kind: Kind.request, command: commands.enter, requestId: 0 }, Enter, enter);
        if (this.#heartbeatMs > 0) this.#nextPing = now + this.#heartbeatMs;
    }

    #takeEntered(message: Message, now: number): void {
        if (message.header.error) {
            const { code, message: reason } = decodeError(message.body);
            if (this.inSession && !worthAnotherTry.includes(code)) return this.giveUp(resumeRefusal(code, reason));
            return this.#end(refusal(code, reason));
        }
        const entered = decode(Entered, message.body);
        const isFresh = entered.state === SessionState.fresh;
        if (isFresh === this.inSession) {
            throw new GameError("invalid", isFresh ? "the server began a new session where one was to be resumed"
                                                   : "the server resumed a session where a new one was to begin");
        }
        if (isFresh) this.#session = new Session(entered);
        else this.#session!.goOn(entered);
        this.#state = "entered";
        this.#enterBy = Infinity;
        if (this.#heartbeatMs > 0) this.#sendPing(now);
        if (isFresh) return this.events.onEntered(entered);
        this.#session!.writeAfter(this.output, Number(entered.received));
        this.events.onResumed(entered);
    }

    #takeReply(message: Message, now: number): void {
        const { requestId, command, error } = message.header;
        if (this.#state === "entering" && requestId === 0) return this.#takeEntered(message, now);
        const answer = this.#session?.answer(message.header) ?? { kind: "of nothing" as const };
        switch (answer.kind) {
            case "of nothing":
                throw new GameError("invalid", `the server answered request ${requestId}, which was not sent`);
            case "of other command":
                throw new GameError("invalid", `the server answered request ${requestId} as command ${command}, which is another one`);
            case "late":
                return;
            case "expected":
                answer.pending(error ? decodeError(message.body) : message.body);
        }
    }

    #takeControl(message: Message, now: number): void {
        switch (message.header.command) {
            case commands.ping: {
                const { sentUs } = decode(Ping, message.body);
                writeMessage(this.output, { kind: Kind.control, command: commands.pong }, Pong, { sentUs });
                break;
            }
            case commands.pong: {
                const tookMs = now - Number(decode(Pong, message.body).sentUs) / 1000;
                if (tookMs >= 0) this.#rttMs = tookMs;
                break;
            }
            case commands.queued:
                if (this.#state !== "entering") break;
                this.#enterBy = now + this.#options.enterDeadlineMs;
                this.events.onQueued(decode(Queued, message.body));
                break;
            case commands.close:
                this.#end(decodeClose(message.body));
        }
        // Others belong to a newer server and are none of this client's business.
    }

    #sendPing(now: number): void {
        this.#nextPing = now + this.#heartbeatMs;
        const rttUs = Math.min(uint32Max, Math.round((this.#rttMs ?? 0) * 1000));
        writeMessage(this.output, { kind: Kind.control, command: commands.ping }, Ping, { sentUs: microsecondsOf(now), rttUs });
    }

    #refuse(bodyBytes: number, name: string): GameError | null {
        const session = this.#session;
        if (session === null) return new GameError("unavailable", `not connected; ${name} was not sent`);
        const bytes = bodyBytes + headerBytesMax;
        if (this.#sentFrameBytesMax > 0 && bytes > this.#sentFrameBytesMax)
            return new GameError("invalid", `${name} has ${bytes} bytes with its header; the server takes at most ${this.#sentFrameBytesMax}`);
        if (session.kept >= this.#options.requestsMax)
            return new GameError("busy", `${name} was not sent: ${session.kept} requests are not answered`);
        if (session.keptBytes > this.#options.requestsBytesMax)
            return new GameError("busy", `${name} was not sent: requests of ${session.keptBytes} bytes are not answered`);
        return null;
    }

    /** The connection is over; the session, if there is one, goes on when the server allows it. */
    #end(close: Close): void {
        if (!this.#connected) return;
        if (!this.inSession || !close.reconnect) return this.giveUp(close);
        this.#leaveConnection("away");
        this.output.clear();
        this.events.onAway(close);
    }
    #leaveConnection(state: State): void {
        this.#state = state;
        this.#enterBy = this.#nextPing = Infinity;
        this.#heartbeatMs = 0;
    }
    #endSession(): void {
        const ended = this.#session;
        this.#session = null;
        for (const pending of ended?.waiting() ?? [])
            pending(new GameError("deadline", "the session ended before the answer; whether it was done is unknown"));
    }
}
