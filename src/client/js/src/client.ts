// A player's session from a browser or from Node: see README.md beside this folder.
import { GameError } from "./error.js";
import type { WebSocketClass } from "./link.js";
import type { Login } from "./login.js";
import type { ProtocolOptions } from "./protocol.js";
import { defaultReconnectOptions } from "./reconnect.js";
import type { ReconnectOptions } from "./reconnect.js";
import { decode } from "./schema.js";
import type { Push, Request } from "./schema.js";
import { SessionKeeper } from "./session_keeper.js";
import type { KeeperEvents } from "./session_keeper.js";
import type { Close, Queued } from "./wire.js";

export interface ClientOptions {
    /** Where there is no global WebSocket (Node before 22): the one of package `ws`. */
    webSocket?: WebSocketClass;
    /** Of the game, told to the server. */
    clientVersion?: string;
    /** A name for what it runs on, of your choice, which a ban may name. */
    device?: string;
    /** 5000 */
    connectDeadlineMs?: number;
    /** 5000; request() may say otherwise. */
    requestDeadlineMs?: number;
    /** False: a lost connection is the end of the session. */
    resumes?: boolean;
    reconnect?: Partial<ReconnectOptions>;
    /** Bounds of what is kept and accepted. */
    protocol?: Partial<ProtocolOptions>;
}

export interface RequestOptions {
    deadlineMs?: number;
}

/** Takes the handler away again. */
export type Off = () => void;

class Handlers<T> {
    readonly #all = new Set<(value: T) => void>();

    add(handler: (value: T) => void): Off {
        const own = (value: T) => handler(value);  // the same function may be added twice
        this.#all.add(own);
        return () => void this.#all.delete(own);
    }
    /**
     * In a microtask, so that who awaits an earlier reply is told of it first, and what a handler throws is seen as an
     * uncaught error of the program's, and does not disturb the session.
     */
    call(value: T): void {
        for (const handler of this.#all) {
            queueMicrotask(() => {
                if (this.#all.has(handler)) handler(value);
            });
        }
    }
}

interface PushHandlers {
    push: Push<any>;
    handlers: Handlers<any>;
}

export class Client {
    readonly #options: ClientOptions;
    readonly #pushes = new Map<number, PushHandlers>();
    readonly #queued = new Handlers<Queued>();
    readonly #away = new Handlers<Close>();
    readonly #resumed = new Handlers<boolean>();
    readonly #closed = new Handlers<Close>();
    #keeper: SessionKeeper | null = null;  // of the last session, if there was one
    #player: bigint | null = null;

    constructor(options: ClientOptions = {}) {
        this.#options = options;
    }

    /**
     * Enters through the first of the gateways that lets the player in, and returns who that is; a session that exists is
     * closed first.
     */
    async connect(login: Pick<Login, "token" | "gateways">): Promise<bigint> {
        this.close();
        const socketClass = this.#options.webSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
        if (socketClass === undefined)
            throw new GameError("invalid", "there is no WebSocket here; give one: new Client({ webSocket }), from package ws");
        const urls = login.gateways.map((gateway) => gateway.websocket).filter((url) => url !== "");
        const keeper: SessionKeeper = new SessionKeeper(urls, {
            socketClass,
            connectDeadlineMs: this.#options.connectDeadlineMs ?? 5000,
            resumes: this.#options.resumes ?? true,
            reconnect: { ...defaultReconnectOptions, ...this.#options.reconnect },
            protocol: {
                ...(this.#options.clientVersion === undefined ? {} : { clientVersion: this.#options.clientVersion }),
                ...(this.#options.device === undefined ? {} : { device: this.#options.device }),
                ...this.#options.protocol,
            },
        }, this.#events());
        this.#keeper = keeper;
        const entered = await keeper.open(login.token);
        this.#player = entered.player;
        return entered.player;
    }

    /**
     * Resolves with the reply. Rejects with GameError: what the server answered; unavailable: never sent; deadline: nobody
     * knows whether it was done; invalid: it does not fit its type, or is too long; busy: too many wait.
     */
    request<T, R>(request: Request<T, R>, message: T, options: RequestOptions = {}): Promise<R> {
        return new Promise((resolve, reject) => {
            if (this.#keeper === null) throw new GameError("unavailable", `not connected; ${request.name} was not sent`);
            const deadline = performance.now() + (options.deadlineMs ?? this.#options.requestDeadlineMs ?? 5000);
            this.#keeper.protocol.send(request, message, deadline, (body) => {
                if (body instanceof GameError) return reject(body);
                try {
                    resolve(decode(request.reply(), body));
                } catch (error) {
                    reject(error);
                }
            });
            this.#keeper.flushSoon();
        });
    }

    /** Pushes that nobody wants to hear are dropped. */
    on<T>(push: Push<T>, handler: (message: T) => void): Off {
        let known = this.#pushes.get(push.command);
        if (known === undefined) this.#pushes.set(push.command, known = { push, handlers: new Handlers() });
        return known.handlers.add(handler);
    }
    /** The server is full: connect() waits, and this tells again every few seconds how long it may take. */
    onQueued(handler: (queued: Queued) => void): Off {
        return this.#queued.add(handler);
    }
    /** The connection is lost and the client tries to resume; requests wait. */
    onAway(handler: (close: Close) => void): Off {
        return this.#away.add(handler);
    }
    /** The session goes on. `gap`: pushes may be missing, and modules send what they send to who has just entered. */
    onResumed(handler: (gap: boolean) => void): Off {
        return this.#resumed.add(handler);
    }
    /**
     * The session is over, by the server or because nobody resumed it in time; not called for close(). `close.reconnect`
     * tells whether connect() with a new login makes sense.
     */
    onClosed(handler: (close: Close) => void): Off {
        return this.#closed.add(handler);
    }

    /** Leaves for good: the server is told, so that the player does not stay in the game. */
    close(): void {
        this.#keeper?.close();
        this.#keeper = null;
        this.#player = null;
    }

    /** Who plays; null before connect() and after close(). */
    get player(): bigint | null {
        return this.#player;
    }
    /** The connection is good at this moment. */
    get connected(): boolean {
        return this.#keeper?.protocol.entered ?? false;
    }
    /** The session goes on, though its connection may be lost at this moment. */
    get inSession(): boolean {
        return this.#keeper?.protocol.inSession ?? false;
    }
    /** Round trip of the last heartbeat; null before the first. */
    get rttMs(): number | null {
        return this.#keeper?.protocol.rttMs ?? null;
    }

    #events(): KeeperEvents {
        return {
            onPush: (command, body) => {
                const known = this.#pushes.get(command);
                if (known !== undefined) known.handlers.call(decode(known.push, body));
            },
            onQueued: (queued) => this.#queued.call(queued),
            onAway: (close) => this.#away.call(close),
            onResumed: (gap) => this.#resumed.call(gap),
            onClosed: (close) => this.#closed.call(close),
        };
    }
}
