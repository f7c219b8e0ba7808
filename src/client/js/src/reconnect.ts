// When and where to try again after a connection was lost: full jitter, so that those who lost their gateway together do
// not come back together. Source: Brooker, "Exponential backoff and jitter" (AWS architecture blog). Times in milliseconds.

export interface ReconnectOptions {
    /** The first wait is at most this long, */
    baseMs: number;
    /** and each of the later ones at most this. */
    capMs: number;
    /** As long as the server keeps a session. */
    resumeForMs: number;
}
export const defaultReconnectOptions: ReconnectOptions = { baseMs: 100, capMs: 5000, resumeForMs: 60_000 };

export interface Try {
    waitMs: number;
    /** Place in the list. */
    gateway: number;
}

export class Reconnect {
    #gateway = 0;
    #tries = 0;
    #until = 0;

    /** `draw` gives numbers from 0 to 1, without the 1. */
    constructor(private readonly options: ReconnectOptions, private readonly draw: () => number = Math.random) {}

    /** The connection to this gateway was lost now. */
    lost(gateway: number, now: number): void {
        this.#gateway = gateway;
        this.#tries = 0;
        this.#until = now + this.options.resumeForMs;
    }
    /** Null when it is too late. */
    next(gateways: number, now: number): Try | null {
        const waitMs = this.draw() * Math.min(this.options.capMs, this.options.baseMs * 2 ** Math.min(this.#tries, 20));
        if (now + waitMs >= this.#until) return null;
        this.#tries += 1;
        this.#gateway = (this.#gateway + 1) % gateways;
        return { waitMs, gateway: this.#gateway };
    }
}
