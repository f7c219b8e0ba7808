// What a session is to a client beyond the single connection, without I/O: the requests that are kept until their reply,
// and how far the server's messages have come. docs/protocol.md, Sessions. Times are in milliseconds.
import { GameError } from "./error.js";
import { Writer } from "./msgpack.js";
import { Ack, commands, Kind, sessionProof, SessionState, writeFrame, writeHeader, writeMessage } from "./wire.js";
import type { Enter, Entered, Header } from "./wire.js";

const unacknowledgedMax = 64;
const unacknowledgedBytesMax = 16 * 1024;
const acknowledgeAfterMs = 2000;
const noCommand = 0;

/** Called once with the body of the reply, or with why there is none. */
export type Pending = (body: Uint8Array | GameError) => void;

export interface KeptRequest {
    command: number;
    body: Uint8Array;
    deadline: number;
    /** Null when nobody waits any more. */
    pending: Pending | null;
}
interface Kept extends KeptRequest {
    answered: boolean;
}

export type Answer =
    | { kind: "expected"; pending: Pending }
    | { kind: "late" | "of other command" | "of nothing" };
export type Arrival = "next" | "duplicate" | "hole";

export class Session {
    #player = 0n;
    #name = 0n;
    #key: Uint8Array = new Uint8Array(0);

    // Requests are 1, 2, 3 ... without a hole. One stays here until the server has answered it and all before it.
    #requests = new Map<number, Kept>();
    #firstId = 1;
    #nextId = 1;
    #keptBytes = 0;
    #earliestDeadline = Infinity;  // not later than that of any

    #received = 0;  // the server's messages up to this one have come
    #unacknowledged = 0;
    #unacknowledgedBytes = 0;
    #acknowledgeBy = Infinity;

    /** A fresh session. */
    constructor(entered?: Entered) {
        if (entered === undefined) return;
        this.#player = entered.player;
        this.#name = entered.session;
        this.#key = entered.key;
    }

    /** The session goes on. Throws when the server's counts do not fit this side's. */
    goOn(entered: Entered): void {
        const received = Number(entered.received), next = Number(entered.next);
        if (received < this.#firstId - 1 || received >= this.#nextId) {
            throw new GameError("invalid", `the server has requests up to ${received}; it answered those up to ` +
                `${this.#firstId - 1}, and ${this.#nextId - 1} were sent`);
        }
        const fits = entered.state === SessionState.gap ? next > this.#received : next === this.#received + 1;
        if (!fits)
            throw new GameError("invalid", `the server goes on with message ${next}; this client has those up to ${this.#received}`);
        this.#received = next - 1;
        this.#takeAcknowledged();
    }

    /** What says to the server which session this is; `nonce` is that of the connection's hello. */
    resumption(nonce: Uint8Array, device: string): Enter {
        const claim = {
            player: this.#player,
            session: this.#name,
            received: BigInt(this.#received),
            answered: BigInt(this.#firstId - 1),
        };
        return { token: "", ...claim, proof: sessionProof(this.#key, nonce, claim), device };
    }

    // --- requests

    get kept(): number {
        return this.#requests.size;
    }
    get keptBytes(): number {
        return this.#keptBytes;
    }
    get earliestDeadline(): number {
        return this.#earliestDeadline;
    }

    /** Returns its id. */
    add(request: KeptRequest): number {
        const id = this.#nextId;
        this.#nextId += 1;
        this.#requests.set(id, { ...request, answered: false });
        this.#keptBytes += request.body.length;
        this.#earliestDeadline = Math.min(this.#earliestDeadline, request.deadline);
        return id;
    }

    write(out: Writer, id: number): void {
        const kept = this.#requests.get(id)!;
        const header: Header = { kind: Kind.request, command: kept.command, requestId: id, session: this.#takeAcknowledgement() };
        writeFrame(out, () => {
            // One that was refused before earlier ones were answered must not be done now, nor may its id be left out.
            writeHeader(out, kept.answered ? { ...header, command: noCommand } : header);
            if (kept.answered) out.array(0);
            else out.raw(kept.body);
        });
    }
    writeAfter(out: Writer, id: number): void {
        for (let next = id + 1; next < this.#nextId; next += 1) this.write(out, next);
    }

    answer(header: Required<Header>): Answer {
        const id = header.requestId;
        if (id === 0 || id >= this.#nextId) return { kind: "of nothing" };
        const kept = this.#requests.get(id);
        if (kept === undefined || kept.answered) return { kind: "late" };
        // A server that lost what it answered does not know the command either.
        const isLost = header.error && header.command === noCommand;
        if (kept.command !== header.command && !isLost) return { kind: "of other command" };
        const pending = kept.pending;
        kept.answered = true;
        kept.pending = null;
        this.#keptBytes -= kept.body.length;
        kept.body = new Uint8Array(0);
        while (this.#requests.get(this.#firstId)?.answered) {
            this.#requests.delete(this.#firstId);
            this.#firstId += 1;
        }
        return pending === null ? { kind: "late" } : { kind: "expected", pending };
    }

    /** Those whose deadline has passed; they are kept to be sent again, since the ids may have no hole. */
    expire(now: number): Pending[] {
        const late: Pending[] = [];
        this.#earliestDeadline = Infinity;
        for (const kept of this.#requests.values()) {
            if (kept.pending === null) continue;
            if (kept.deadline <= now) {
                late.push(kept.pending);
                kept.pending = null;
            } else {
                this.#earliestDeadline = Math.min(this.#earliestDeadline, kept.deadline);
            }
        }
        return late;
    }

    /** All that wait. */
    waiting(): Pending[] {
        return [...this.#requests.values()].flatMap((kept) => kept.pending ?? []);
    }

    // --- numbered messages of the server

    get acknowledgeBy(): number {
        return this.#acknowledgeBy;
    }
    /** So much is unacknowledged that the next request is not waited for. */
    get mustAcknowledge(): boolean {
        return this.#unacknowledged >= unacknowledgedMax || this.#unacknowledgedBytes >= unacknowledgedBytesMax;
    }

    receive(number: number, bytes: number, now: number): Arrival {
        if (number <= this.#received) return "duplicate";
        if (number !== this.#received + 1) return "hole";
        this.#received = number;
        if (this.#unacknowledged === 0) this.#acknowledgeBy = now + acknowledgeAfterMs;
        this.#unacknowledged += 1;
        this.#unacknowledgedBytes += bytes;
        return "next";
    }

    writeAck(out: Writer): void {
        writeMessage(out, { kind: Kind.control, command: commands.ack }, Ack, { received: BigInt(this.#takeAcknowledgement()) });
    }

    /** The number to acknowledge with what is sent now; 0: none is due. */
    #takeAcknowledgement(): number {
        if (this.#unacknowledged === 0) return 0;
        this.#takeAcknowledged();
        return this.#received;
    }
    #takeAcknowledged(): void {
        this.#unacknowledged = 0;
        this.#unacknowledgedBytes = 0;
        this.#acknowledgeBy = Infinity;
    }
}
