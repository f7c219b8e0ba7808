// msgpack as the protocol uses it: https://github.com/msgpack/msgpack/blob/master/spec.md
// A value that does not fit throws GameError "invalid".
import { GameError } from "./error.js";

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that grow at their end. */
export class Writer {
    #bytes = new Uint8Array(128);
    #view = new DataView(this.#bytes.buffer);
    #length = 0;

    get length(): number {
        return this.#length;
    }
    /** A view that lives until the next write. */
    get written(): Uint8Array {
        return this.#bytes.subarray(0, this.#length);
    }
    /** What was written; the writer is empty afterwards. */
    take(): Uint8Array {
        const taken = this.written;
        this.#bytes = new Uint8Array(128);
        this.#view = new DataView(this.#bytes.buffer);
        this.#length = 0;
        return taken;
    }
    clear(): void {
        this.#length = 0;
    }

    byte(value: number): void {
        const at = this.#extend(1);  // first, as it may replace #bytes
        this.#bytes[at] = value;
    }
    raw(bytes: Uint8Array): void {
        const at = this.#extend(bytes.length);
        this.#bytes.set(bytes, at);
    }
    /** Overwrites 4 bytes, little-endian. */
    patchLength(at: number, value: number): void {
        this.#view.setUint32(at, value, true);
    }

    nil(): void {
        this.byte(0xc0);
    }
    boolean(value: boolean): void {
        this.byte(value ? 0xc3 : 0xc2);
    }
    integer(value: number | bigint): void {
        if (value > 0xffff_ffff) return this.#big(0xcf, (at) => this.#view.setBigUint64(at, BigInt(value)));
        if (value < -0x8000_0000) return this.#big(0xd3, (at) => this.#view.setBigInt64(at, BigInt(value)));
        const number = Number(value);
        if (number >= 0) {
            if (number < 0x80) this.byte(number);
            else if (number <= 0xff) this.#tagged(0xcc, 1, number);
            else if (number <= 0xffff) this.#tagged(0xcd, 2, number);
            else this.#tagged(0xce, 4, number);
        } else if (number >= -0x20) this.byte(number & 0xff);
        else if (number >= -0x80) this.#tagged(0xd0, 1, number);
        else if (number >= -0x8000) this.#tagged(0xd1, 2, number);
        else this.#tagged(0xd2, 4, number);
    }
    real(value: number): void {
        this.#big(0xcb, (at) => this.#view.setFloat64(at, value));
    }
    text(value: string): void {
        const bytes = utf8.encode(value);
        if (bytes.length < 32) this.byte(0xa0 | bytes.length);
        else this.#sized(0xd9, bytes.length);
        this.raw(bytes);
    }
    binary(value: Uint8Array): void {
        this.#sized(0xc4, value.length);
        this.raw(value);
    }
    array(count: number): void {
        if (count < 16) this.byte(0x90 | count);
        else if (count <= 0xffff) this.#tagged(0xdc, 2, count);
        else this.#tagged(0xdd, 4, count);
    }
    map(count: number): void {
        if (count < 16) this.byte(0x80 | count);
        else if (count <= 0xffff) this.#tagged(0xde, 2, count);
        else this.#tagged(0xdf, 4, count);
    }

    #extend(count: number): number {
        const at = this.#length;
        if (at + count > this.#bytes.length) {
            const grown = new Uint8Array(Math.max(at + count, 2 * this.#bytes.length));
            grown.set(this.written);
            this.#bytes = grown;
            this.#view = new DataView(grown.buffer);
        }
        this.#length += count;
        return at;
    }
    #tagged(tag: number, size: 1 | 2 | 4, value: number): void {
        this.byte(tag);
        const at = this.#extend(size);
        if (size === 1) this.#view.setUint8(at, value);
        else if (size === 2) this.#view.setUint16(at, value);
        else this.#view.setUint32(at, value);
    }
    #big(tag: number, set: (at: number) => void): void {
        this.byte(tag);
        set(this.#extend(8));
    }
    /** The three tags for a length of 8, 16 and 32 bits follow each other. */
    #sized(tag: number, length: number): void {
        if (length <= 0xff) this.#tagged(tag, 1, length);
        else if (length <= 0xffff) this.#tagged(tag + 1, 2, length);
        else this.#tagged(tag + 2, 4, length);
    }
}

/** A cursor. What it returns of bytes and text is a copy. */
export class Reader {
    #view: DataView;
    #at = 0;

    constructor(readonly bytes: Uint8Array) {
        this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }

    get position(): number {
        return this.#at;
    }
    get atEnd(): boolean {
        return this.#at === this.bytes.length;
    }

    /** Takes a nil, if there is one. */
    nil(): boolean {
        if (this.bytes[this.#at] !== 0xc0) return false;
        this.#at += 1;
        return true;
    }
    boolean(): boolean {
        const tag = this.#tag();
        if (tag !== 0xc2 && tag !== 0xc3) throw this.#wrong("true or false");
        return tag === 0xc3;
    }
    /** A bigint when it has 64 bits on the wire. */
    integer(): number | bigint {
        const tag = this.#tag();
        if (tag < 0x80) return tag;
        if (tag >= 0xe0) return tag - 0x100;
        switch (tag) {
            case 0xcc: return this.#view.getUint8(this.#take(1));
            case 0xcd: return this.#view.getUint16(this.#take(2));
            case 0xce: return this.#view.getUint32(this.#take(4));
            case 0xcf: return this.#view.getBigUint64(this.#take(8));
            case 0xd0: return this.#view.getInt8(this.#take(1));
            case 0xd1: return this.#view.getInt16(this.#take(2));
            case 0xd2: return this.#view.getInt32(this.#take(4));
            case 0xd3: return this.#view.getBigInt64(this.#take(8));
        }
        throw this.#wrong("a whole number");
    }
    real(): number {
        const tag = this.bytes[this.#at];
        if (tag === 0xca) return this.#view.getFloat32(this.#take(5) + 1);
        if (tag === 0xcb) return this.#view.getFloat64(this.#take(9) + 1);
        return Number(this.integer());
    }
    text(): string {
        const tag = this.#tag();
        const length = (tag & 0xe0) === 0xa0 ? tag & 0x1f : this.#length(tag, 0xd9, "text");
        const at = this.#take(length);
        try {
            return strictUtf8.decode(this.bytes.subarray(at, at + length));
        } catch {
            throw new GameError("invalid", `a text at byte ${at} is not UTF-8`);
        }
    }
    binary(): Uint8Array {
        const length = this.#length(this.#tag(), 0xc4, "bytes");
        const at = this.#take(length);
        return this.bytes.slice(at, at + length);
    }
    /** What follows is read one by one: never make room for that many. */
    array(): number {
        const tag = this.#tag();
        return (tag & 0xf0) === 0x90 ? tag & 0x0f : this.#count(tag, 0xdc, "a list");
    }
    map(): number {
        const tag = this.#tag();
        return (tag & 0xf0) === 0x80 ? tag & 0x0f : this.#count(tag, 0xde, "a map");
    }
    /** One value of any shape; however deep it nests, without recursion. */
    skip(): void {
        for (let left = 1; left > 0; left -= 1) left += this.#skipOne();
    }

    /** Returns how many values follow that belong to the one that was skipped. */
    #skipOne(): number {
        const tag = this.#tag();
        if (tag < 0x80 || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3) return 0;
        if (tag < 0x90) return 2 * (tag & 0x0f);
        if (tag < 0xa0) return tag & 0x0f;
        if (tag < 0xc0) return this.#skipBytes(tag & 0x1f);
        if (tag >= 0xc4 && tag <= 0xc6) return this.#skipBytes(this.#length(tag, 0xc4, "bytes"));
        if (tag >= 0xc7 && tag <= 0xc9) return this.#skipBytes(this.#length(tag, 0xc7, "an extension") + 1);
        if (tag >= 0xca && tag <= 0xd3) return this.#skipBytes([4, 8, 1, 2, 4, 8, 1, 2, 4, 8][tag - 0xca]!);
        if (tag >= 0xd4 && tag <= 0xd8) return this.#skipBytes(1 + (1 << (tag - 0xd4)));
        if (tag >= 0xd9 && tag <= 0xdb) return this.#skipBytes(this.#length(tag, 0xd9, "text"));
        if (tag === 0xdc || tag === 0xdd) return this.#count(tag, 0xdc, "a list");
        if (tag === 0xde || tag === 0xdf) return 2 * this.#count(tag, 0xde, "a map");
        throw this.#wrong("a value");
    }
    #skipBytes(count: number): 0 {
        this.#take(count);
        return 0;
    }
    #tag(): number {
        return this.bytes[this.#take(1)]!;
    }
    #take(count: number): number {
        const at = this.#at;
        if (this.bytes.length - at < count) throw new GameError("invalid", "a message ends in the middle of a value");
        this.#at += count;
        return at;
    }
    #length(tag: number, first: number, what: string): number {
        if (tag === first) return this.#view.getUint8(this.#take(1));
        if (tag === first + 1) return this.#view.getUint16(this.#take(2));
        if (tag === first + 2) return this.#view.getUint32(this.#take(4));
        throw this.#wrong(what);
    }
    #count(tag: number, first: number, what: string): number {
        if (tag === first) return this.#view.getUint16(this.#take(2));
        if (tag === first + 1) return this.#view.getUint32(this.#take(4));
        throw this.#wrong(what);
    }
    #wrong(expected: string): GameError {
        return new GameError("invalid", `the value at byte ${this.#at - 1} is not ${expected}`);
    }
}
