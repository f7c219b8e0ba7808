// One WebSocket of a client: moves bytes. After close() its owner hears nothing more.
import { GameError } from "./error.js";
import { subprotocol } from "./wire.js";

/** As much of the browser's WebSocket as the kit uses; package `ws` for Node has it too. */
export interface WebSocketLike {
    binaryType: string;
    onopen: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
    send(data: Uint8Array): void;
    close(): void;
}
export type WebSocketClass = new (url: string, protocols: string) => WebSocketLike;

export interface LinkOwner {
    onBytes(bytes: Uint8Array): void;
    onLost(why: string): void;
}

export class Link {
    #socket: WebSocketLike | null = null;
    #refuse: ((error: GameError) => void) | null = null;  // while it connects

    constructor(private readonly owner: LinkOwner, private readonly socketClass: WebSocketClass) {}

    connect(url: string, deadlineMs: number): Promise<void> {
        return new Promise((resolve, reject) => {
            let timer: ReturnType<typeof setTimeout>;
            let failure = "the connection was refused";
            this.#refuse = (error) => {
                clearTimeout(timer);
                this.#refuse = null;
                reject(error);
            };
            const refuse = (why: string) => this.#refuse?.(new GameError("unavailable", `cannot connect to ${url}: ${why}`));
            timer = setTimeout(() => {
                refuse(`no answer within ${deadlineMs} ms`);
                this.close();
            }, deadlineMs);
            let socket: WebSocketLike;
            try {
                socket = new this.socketClass(url, subprotocol);
            } catch (error) {
                return refuse(String(error));  // not a URL, or one that the page may not use
            }
            this.#socket = socket;
            socket.binaryType = "arraybuffer";
            socket.onopen = () => {
                if (this.#socket !== socket) return;
                clearTimeout(timer);
                this.#refuse = null;
                resolve();
            };
            socket.onerror = (event) => {
                if (typeof event?.message === "string" && event.message !== "") failure = event.message;  // browsers do not tell
            };
            socket.onmessage = (event) => {
                if (this.#socket !== socket) return;
                if (event.data instanceof ArrayBuffer) this.owner.onBytes(new Uint8Array(event.data));
                else this.#lost("the server sent text; this protocol is binary");
            };
            socket.onclose = (event) => {
                if (this.#socket !== socket) return;
                if (this.#refuse === null) return this.#lost(event.reason || `it was closed with code ${event.code}`);
                this.#socket = null;
                refuse(failure);
            };
        });
    }

    write(bytes: Uint8Array): void {
        this.#socket?.send(bytes);
    }

    /** What was written before still goes out. */
    close(): void {
        const socket = this.#socket;
        this.#socket = null;
        this.#refuse?.(new GameError("unavailable", "the client was closed while it connected"));
        socket?.close();
    }

    #lost(why: string): void {
        this.close();
        this.owner.onLost(why);
    }
}
