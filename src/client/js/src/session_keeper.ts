// Keeps a client's session on a connection: opens links, moves the bytes of the Protocol, wakes it in time, and when a
// link is lost resumes through another one. One object for each session.
import { GameError } from "./error.js";
import type { Code } from "./error.js";
import { Link } from "./link.js";
import type { WebSocketClass } from "./link.js";
import { Protocol } from "./protocol.js";
import type { ProtocolEvents, ProtocolOptions } from "./protocol.js";
import { Reconnect } from "./reconnect.js";
import type { ReconnectOptions } from "./reconnect.js";
import { SessionState } from "./wire.js";
import type { Close, Entered, Queued } from "./wire.js";

export interface KeeperOptions {
    socketClass: WebSocketClass;
    connectDeadlineMs: number;
    resumes: boolean;
    reconnect: ReconnectOptions;
    protocol: Partial<ProtocolOptions>;
}
/** What the program hears; see Client. */
export interface KeeperEvents {
    onQueued(queued: Queued): void;
    onPush(command: number, body: Uint8Array): void;
    onAway(close: Close): void;
    onResumed(gap: boolean): void;
    onClosed(close: Close): void;
}

const anotherGatewayMayHelp: readonly Code[] = ["unavailable", "busy", "limited", "deadline"];
const timerMsMax = 0x7fff_ffff;
const now = (): number => performance.now();

export class SessionKeeper implements ProtocolEvents {
    readonly protocol: Protocol;
    readonly #reconnect: Reconnect;
    #link: Link | null = null;
    #gateway = 0;  // of the link
    #timer: ReturnType<typeof setTimeout> | undefined;
    #armedFor = Infinity;
    #wake: (() => void) | null = null;  // ends a pause
    #settle: ((outcome: Entered | GameError) => void) | null = null;  // what the hello began has come to an end
    #wasIn = false;
    #isIn = false;
    #returning = false;
    #closed = false;
    #flushing = false;

    /** `urls` are those of the gateways. */
    constructor(private readonly urls: readonly string[], private readonly options: KeeperOptions, private readonly events: KeeperEvents) {
        this.protocol = new Protocol(this, options.protocol);
        this.#reconnect = new Reconnect(options.reconnect);
    }

    /** Enters through the first gateway that lets the player in. */
    async open(token: string): Promise<Entered> {
        let failure = new GameError("invalid", "there is no gateway that takes WebSocket connections");
        for (let gateway = 0; gateway < this.urls.length; gateway += 1) {
            const outcome = await this.#enter(gateway, token);
            if (!(outcome instanceof GameError)) return outcome;
            failure = outcome;
            if (this.#closed || !anotherGatewayMayHelp.includes(failure.code)) break;
        }
        this.close();
        throw failure;
    }

    close(): void {
        if (this.#closed) return;
        this.#closed = true;
        this.protocol.close();
        this.#write();
        this.#dropLink();
        this.#disarm();
        this.#wake?.();
        this.#settle?.(new GameError("unavailable", "the client was closed while it connected"));
    }

    /** Something was written to the protocol's output: it goes out with what else this turn of the program writes. */
    flushSoon(): void {
        this.#arm();
        if (this.#flushing) return;
        this.#flushing = true;
        queueMicrotask(() => {
            this.#flushing = false;
            if (!this.#closed) this.#flush();
        });
    }

    // --- connecting

    async #enter(gateway: number, token: string): Promise<Entered | GameError> {
        const failure = await this.#connect(gateway);
        if (failure !== null) return failure;
        return this.#until(() => this.protocol.start(token, now()));
    }

    /** Returns why not, or null. */
    async #connect(gateway: number): Promise<GameError | null> {
        this.#dropLink();
        this.#gateway = gateway;
        const link = new Link({
            onBytes: (bytes) => {
                this.protocol.receive(bytes, now());
                this.#afterWork();
            },
            onLost: (why) => this.protocol.lost(why),
        }, this.options.socketClass);
        this.#link = link;
        try {
            await link.connect(this.urls[gateway]!, this.options.connectDeadlineMs);
        } catch (error) {
            if (this.#link === link) this.#link = null;
            if (error instanceof GameError) return error;
            throw error;
        }
        if (this.#link !== link) return new GameError("unavailable", "the client was closed while it connected");
        return null;
    }

    /** Says hello and waits for what comes of it. */
    #until(hello: () => void): Promise<Entered | GameError> {
        return new Promise((resolve) => {
            this.#settle = (outcome) => {
                this.#settle = null;
                resolve(outcome);
            };
            hello();
            this.#afterWork();
        });
    }

    async #comeBack(): Promise<void> {
        while (this.protocol.away) {
            const next = this.#reconnect.next(this.urls.length, now());
            if (next === null) {
                this.protocol.giveUp({ code: "unavailable", reason: "no gateway resumed the session in time", reconnect: true });
                break;
            }
            await this.#pause(next.waitMs);
            if (!this.protocol.away) break;
            const failure = await this.#connect(next.gateway);
            if (failure !== null || !this.protocol.away) continue;
            await this.#until(() => this.protocol.resume(now()));
        }
        this.#returning = false;
    }

    #pause(milliseconds: number): Promise<void> {
        return new Promise((resolve) => {
            const timer = setTimeout(() => this.#wake?.(), milliseconds);
            this.#wake = () => {
                clearTimeout(timer);
                this.#wake = null;
                resolve();
            };
        });
    }

    #dropLink(): void {
        this.#link?.close();
        this.#link = null;
    }

    // --- what happens

    onEntered(entered: Entered): void {
        this.#wasIn = this.#isIn = true;
        this.#settle?.(entered);
    }

    onResumed(entered: Entered): void {
        this.#isIn = true;
        this.#settle?.(entered);
        this.events.onResumed(entered.state === SessionState.gap);
    }

    onQueued(queued: Queued): void {
        this.events.onQueued(queued);
    }

    onPush(command: number, body: Uint8Array): void {
        this.events.onPush(command, body);
    }

    onAway(close: Close): void {
        this.#dropLink();
        if (!this.options.resumes) return this.protocol.giveUp(close);
        this.#settle?.(new GameError(close.code, close.reason));
        if (this.#isIn) {
            this.#isIn = false;
            this.#reconnect.lost(this.#gateway, now());
            this.events.onAway(close);
        }
        this.#arm();
        if (this.#returning) return;
        this.#returning = true;
        void this.#comeBack();
    }

    onClosed(close: Close): void {
        this.#dropLink();
        this.#disarm();
        this.#wake?.();
        this.#settle?.(new GameError(close.code === "ok" ? "unavailable" : close.code, close.reason));
        if (this.#wasIn) this.events.onClosed(close);
    }

    // --- bytes and time

    #afterWork(): void {
        this.#flush();
        this.#arm();
    }
    #flush(): void {
        if (!this.protocol.away && !this.protocol.closed) this.#write();
    }
    #write(): void {
        if (this.protocol.output.length > 0) this.#link?.write(this.protocol.output.take());
    }

    #arm(): void {
        const next = this.protocol.nextTick;
        if (next >= this.#armedFor) return;
        this.#disarm();
        this.#armedFor = next;
        this.#timer = setTimeout(() => {
            this.#armedFor = Infinity;
            if (this.protocol.closed) return;
            this.protocol.tick(now());
            if (!this.protocol.closed) this.#afterWork();
        }, Math.min(timerMsMax, Math.max(0, Math.ceil(next - now()))));
    }
    #disarm(): void {
        clearTimeout(this.#timer);
        this.#armedFor = Infinity;
    }
}
