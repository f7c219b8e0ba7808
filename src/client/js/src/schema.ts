// Types of messages: what the files that `gameserver schema --format=typescript` writes are made of.
import { GameError } from "./error.js";
import { Reader, Writer } from "./msgpack.js";

/** How a value of one type stands in a message. */
export interface Codec<T> {
    readonly name: string;
    write(writer: Writer, value: T): void;
    read(reader: Reader): T;
    /** What a field of this type has when a message ends before it. */
    zero(): T;
}

/** Name, type, and what it has when a message ends before it, where that is not the type's zero. */
export type Field<T> = { [K in keyof T & string]: readonly [name: K, codec: Codec<T[K]>, fallback?: () => T[K]] }[keyof T & string];

export type Struct<T> = Codec<T>;
/** What a client asks. */
export interface Request<T, R> extends Codec<T> {
    readonly command: number;
    readonly reply: () => Codec<R>;
}
/** What the server tells. */
export interface Push<T> extends Codec<T> {
    readonly command: number;
}

const depthMax = 64;
let depth = 0;  // of the structures that are being read; nothing is awaited meanwhile

class StructCodec<T> implements Codec<T> {
    #fields: readonly Field<T>[] | null = null;

    /** `fields` is a function since structures may hold each other. */
    constructor(readonly name: string, private readonly makeFields: () => readonly Field<T>[]) {}

    write(writer: Writer, value: T): void {
        const fields = this.#all();
        writer.array(fields.length);
        for (const [name, codec] of fields) {
            try {
                codec.write(writer, value[name]);
            } catch (error) {
                throw error instanceof GameError ? new GameError(error.code, `${this.name}.${name}: ${error.message}`) : error;
            }
        }
    }
    read(reader: Reader): T {
        if (depth >= depthMax) throw new GameError("invalid", "values are nested too deep");
        depth += 1;
        try {
            const count = reader.array();
            const value = {} as T;
            const fields = this.#all();
            fields.forEach(([name, codec, fallback], index) => {
                value[name] = index < count ? codec.read(reader) : (fallback ?? codec.zero)();
            });
            for (let unknown = fields.length; unknown < count; unknown += 1) reader.skip();
            return value;
        } finally {
            depth -= 1;
        }
    }
    zero = (): T => {
        const value = {} as T;
        for (const [name, codec, fallback] of this.#all()) value[name] = (fallback ?? codec.zero)();
        return value;
    };
    #all(): readonly Field<T>[] {
        return this.#fields ??= this.makeFields();
    }
}

class RequestCodec<T, R> extends StructCodec<T> implements Request<T, R> {
    constructor(readonly command: number, name: string, readonly reply: () => Codec<R>, fields: () => readonly Field<T>[]) {
        super(name, fields);
    }
}
class PushCodec<T> extends StructCodec<T> implements Push<T> {
    constructor(readonly command: number, name: string, fields: () => readonly Field<T>[]) {
        super(name, fields);
    }
}

export function struct<T>(name: string, fields: () => readonly Field<T>[]): Struct<T> {
    return new StructCodec(name, fields);
}
export function request<T, R>(command: number, name: string, reply: () => Codec<R>, fields: () => readonly Field<T>[]): Request<T, R> {
    return new RequestCodec(command, name, reply, fields);
}
export function push<T>(command: number, name: string, fields: () => readonly Field<T>[]): Push<T> {
    return new PushCodec(command, name, fields);
}

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
    const writer = new Writer();
    codec.write(writer, value);
    return writer.take();
}
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
    const reader = new Reader(bytes);
    const value = codec.read(reader);
    if (!reader.atEnd) throw new GameError("invalid", `${codec.name} is followed by bytes that do not belong to it`);
    return value;
}

// --- fields ----------------------------------------------------------------------------------------------------------

function wrong(value: unknown, expected: string): GameError {
    return new GameError("invalid", `${typeof value === "string" ? JSON.stringify(value) : String(value)} is not ${expected}`);
}

function short(name: string, least: number, most: number): Codec<number> {
    const check = (value: number): number => {
        if (!Number.isInteger(value) || value < least || value > most) throw wrong(value, `a whole number from ${least} to ${most}`);
        return value;
    };
    return {
        name,
        write: (writer, value) => writer.integer(check(value)),
        read: (reader) => check(Number(reader.integer())),
        zero: () => 0,
    };
}
/** 64 bits are more than JavaScript's numbers hold, so these are bigints, which is also the only way to compare them. */
function long(name: string, least: bigint, most: bigint): Codec<bigint> {
    const check = (value: bigint): bigint => {
        if (typeof value !== "bigint" || value < least || value > most) throw wrong(value, `a bigint from ${least} to ${most}`);
        return value;
    };
    return {
        name,
        write: (writer, value) => writer.integer(check(value)),
        read: (reader) => check(BigInt(reader.integer())),
        zero: () => 0n,
    };
}
function real(name: string, round: (value: number) => number): Codec<number> {
    return {
        name,
        write: (writer, value) => {
            if (typeof value !== "number") throw wrong(value, "a number");
            writer.real(round(value));
        },
        read: (reader) => reader.real(),
        zero: () => 0,
    };
}

export const u8 = short("u8", 0, 0xff);
export const u16 = short("u16", 0, 0xffff);
export const u32 = short("u32", 0, 0xffff_ffff);
export const u64 = long("u64", 0n, 0xffff_ffff_ffff_ffffn);
export const i8 = short("i8", -0x80, 0x7f);
export const i16 = short("i16", -0x8000, 0x7fff);
export const i32 = short("i32", -0x8000_0000, 0x7fff_ffff);
export const i64 = long("i64", -0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn);
export const f32 = real("f32", Math.fround);
export const f64 = real("f64", (value) => value);

export const boolean: Codec<boolean> = {
    name: "boolean",
    write: (writer, value) => {
        if (typeof value !== "boolean") throw wrong(value, "true or false");
        writer.boolean(value);
    },
    read: (reader) => reader.boolean(),
    zero: () => false,
};
export const text: Codec<string> = {
    name: "text",
    write: (writer, value) => {
        if (typeof value !== "string") throw wrong(value, "a text");
        writer.text(value);
    },
    read: (reader) => reader.text(),
    zero: () => "",
};
export const binary: Codec<Uint8Array> = {
    name: "binary",
    write: (writer, value) => {
        if (!(value instanceof Uint8Array)) throw wrong(value, "a Uint8Array");
        writer.binary(value);
    },
    read: (reader) => reader.binary(),
    zero: () => new Uint8Array(0),
};

export function optional<T>(element: Codec<T>): Codec<T | null> {
    return {
        name: `optional ${element.name}`,
        write: (writer, value) => (value === null || value === undefined ? writer.nil() : element.write(writer, value)),
        read: (reader) => (reader.nil() ? null : element.read(reader)),
        zero: () => null,
    };
}
export function list<T>(element: Codec<T>): Codec<T[]> {
    return {
        name: `list of ${element.name}`,
        write: (writer, values) => {
            if (!Array.isArray(values)) throw wrong(values, "an array");
            writer.array(values.length);
            for (const value of values) element.write(writer, value);
        },
        read: (reader) => {
            const count = reader.array();
            const values: T[] = [];
            while (values.length < count) values.push(element.read(reader));
            return values;
        },
        zero: () => [],
    };
}
export function map<K, V>(key: Codec<K>, element: Codec<V>): Codec<Map<K, V>> {
    return {
        name: `map from ${key.name} to ${element.name}`,
        write: (writer, values) => {
            if (!(values instanceof Map)) throw wrong(values, "a Map");
            writer.map(values.size);
            for (const [name, value] of values) {
                key.write(writer, name);
                element.write(writer, value);
            }
        },
        read: (reader) => {
            const values = new Map<K, V>();
            for (let left = reader.map(); left > 0; left -= 1) {
                const name = key.read(reader);
                values.set(name, element.read(reader));
            }
            return values;
        },
        zero: () => new Map(),
    };
}
