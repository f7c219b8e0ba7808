// msgpack, types of messages, SHA-256, frames and headers.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import test from "node:test";

import { Reader, Writer } from "../src/msgpack.ts";
import * as gs from "../src/schema.ts";
import { hmacSha256, sha256 } from "../src/sha256.ts";
import { Kind, parseMessage, writeHeader } from "../src/wire.ts";
import { sample } from "./sample_schema.ts";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

test("integers have their shortest form and come back, on every edge", () => {
    const forms = [
        [0n, "00"], [127n, "7f"], [128n, "cc80"], [255n, "ccff"], [256n, "cd0100"], [65_535n, "cdffff"], [65_536n, "ce00010000"],
        [0xffff_ffffn, "ceffffffff"], [0x1_0000_0000n, "cf0000000100000000"], [0xffff_ffff_ffff_ffffn, "cfffffffffffffffff"],
    ];
    for (const [value, form] of forms) {
        assert.equal(hex(gs.encode(gs.u64, value)), form);
        assert.equal(gs.decode(gs.u64, bytes(form)), value);
    }
    const negatives = [
        [-1n, "ff"], [-32n, "e0"], [-33n, "d0df"], [-128n, "d080"], [-129n, "d1ff7f"], [-32_768n, "d18000"], [-32_769n, "d2ffff7fff"],
        [-0x8000_0000n, "d280000000"], [-0x8000_0001n, "d3ffffffff7fffffff"], [-0x8000_0000_0000_0000n, "d38000000000000000"],
    ];
    for (const [value, form] of negatives) {
        assert.equal(hex(gs.encode(gs.i64, value)), form);
        assert.equal(gs.decode(gs.i64, bytes(form)), value);
    }
    assert.equal(gs.decode(gs.u8, bytes("cf0000000000000007")), 7, "readers take every form that fits");
    assert.equal(gs.decode(gs.u64, bytes("d007")), 7n);
});

test("values out of their limits are refused both ways", () => {
    const edges = [
        [gs.u8, 255], [gs.u16, 65_535], [gs.u32, 4_294_967_295], [gs.i8, 127], [gs.i16, 32_767], [gs.i32, 2_147_483_647],
        [gs.u64, 0xffff_ffff_ffff_ffffn], [gs.i64, 0x7fff_ffff_ffff_ffffn],
    ];
    for (const [codec, most] of edges) {
        assert.deepEqual(gs.decode(codec, gs.encode(codec, most)), most);
        const beyond = typeof most === "bigint" ? most + 1n : most + 1;
        assert.throws(() => gs.encode(codec, beyond), { code: "invalid" }, codec.name);
        if (codec !== gs.u64) {
            const wide = new Writer();
            wide.integer(beyond);
            assert.throws(() => gs.decode(codec, wide.take()), { code: "invalid" }, codec.name);
        }
        if (codec.name.startsWith("u")) assert.throws(() => gs.decode(codec, bytes("ff")), { code: "invalid" }, codec.name);
    }
    const wrongs = [
        [gs.u8, 1.5], [gs.u8, NaN], [gs.u8, "1"], [gs.u64, 1], [gs.text, 1], [gs.boolean, 1], [gs.f64, "1"], [gs.binary, [1]],
        [gs.list(gs.u8), { length: 0 }], [gs.map(gs.u8, gs.u8), {}],
    ];
    for (const [codec, value] of wrongs) assert.throws(() => gs.encode(codec, value), { code: "invalid" }, `${codec.name} ${String(value)}`);
});

const Inner = gs.struct("Inner", () => [["level", gs.u8, () => 7], ["title", gs.optional(gs.text)]]);
const Everything = gs.struct("Everything", () => [
    ["yes", gs.boolean], ["small", gs.i8], ["large", gs.i64], ["player", gs.u64], ["half", gs.f32], ["real", gs.f64], ["text", gs.text],
    ["blob", gs.binary], ["maybe", gs.optional(gs.u16)], ["list", gs.list(Inner)], ["names", gs.map(gs.u64, gs.text)], ["inner", Inner],
]);
const everything = {
    yes: true, small: -5, large: -(2n ** 60n), player: 2n ** 63n, half: 0.1, real: 0.1, text: "grüße \u{1f600}", blob: Uint8Array.of(1, 2),
    maybe: 500, list: [{ level: 1, title: "a" }, { level: 2, title: null }], names: new Map([[1n, "x"], [2n ** 40n, "y"]]),
    inner: { level: 9, title: null },
};

test("a structure of every kind of field comes back", () => {
    const back = gs.decode(Everything, gs.encode(Everything, everything));
    assert.deepEqual(back, { ...everything, half: Math.fround(0.1) });
    const sizes = [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536, 70_000];
    for (const size of sizes) {
        const text = "x".repeat(size), blob = new Uint8Array(size).fill(3), list = new Array(size).fill(1);
        assert.equal(gs.decode(gs.text, gs.encode(gs.text, text)), text);
        assert.deepEqual(gs.decode(gs.binary, gs.encode(gs.binary, blob)), blob);
        assert.deepEqual(gs.decode(gs.list(gs.u8), gs.encode(gs.list(gs.u8), list)), list);
        const map = new Map(list.map((_, index) => [index, 0]));
        assert.deepEqual(gs.decode(gs.map(gs.u32, gs.u8), gs.encode(gs.map(gs.u32, gs.u8), map)), map);
    }
});

test("a missing tail takes defaults and an unknown one is skipped", () => {
    assert.deepEqual(gs.decode(Inner, bytes("90")), { level: 7, title: null });
    assert.deepEqual(gs.decode(Inner, bytes("91 05")), { level: 5, title: null });
    const zero = gs.decode(Everything, bytes("90"));
    assert.deepEqual(zero, {
        yes: false, small: 0, large: 0n, player: 0n, half: 0, real: 0, text: "", blob: new Uint8Array(0), maybe: null, list: [],
        names: new Map(), inner: { level: 7, title: null },
    });
    const shapes = ["05", "ff", "c0", "c3", "cc05", "cd0005", "ce00000005", "cf0000000000000005", "d005", "d10005", "d200000005",
        "d30000000000000005", "ca00000000", "cb0000000000000000", "a161", "d90161", "da000161", "db0000000161", "c40105", "c5000105",
        "c60000000105", "9105", "dc000105", "dd0000000105", "810506", "de00010506", "df000000010506", "d40105", "d5010505", "d601" + "05".repeat(4),
        "d701" + "05".repeat(8), "d801" + "05".repeat(16), "c7010105", "c800010105", "c90000000101" + "05", "91".repeat(5000) + "90"];
    for (const shape of shapes) assert.deepEqual(gs.decode(Inner, bytes(`94 05 a178 ${shape} 01`)), { level: 5, title: "x" }, shape);
});

test("bytes that are no message of the type are refused, wherever they end", () => {
    const whole = gs.encode(Everything, everything);
    for (let length = 0; length < whole.length; length += 1)
        assert.throws(() => gs.decode(Everything, whole.slice(0, length)), { code: "invalid" }, `cut at ${length}`);
    const wrongs = {
        "bytes after it": [Inner, "9005"], "not a list": [Inner, "05"], "a text that is not UTF-8": [gs.text, "a1ff"],
        "a list of 4 billion": [gs.list(gs.u8), "ddffffffff"], "a map of 4 billion": [gs.map(gs.u8, gs.u8), "dfffffffff"],
        "a text of 4 GiB": [gs.text, "dbffffffff"], "an unused tag": [Inner, "9305c0c1"], "nil for a text": [gs.text, "c0"],
        "a text for a number": [gs.f64, "a131"], "a text for true": [gs.boolean, "a131"], "a number for bytes": [gs.binary, "05"],
    };
    for (const [what, [codec, form]] of Object.entries(wrongs)) assert.throws(() => gs.decode(codec, bytes(form)), { code: "invalid" }, what);
    const Tree = gs.struct("Tree", () => [["children", gs.list(Tree)]]);
    assert.throws(() => gs.decode(Tree, bytes("9191".repeat(100) + "90")), { code: "invalid", message: /nested too deep/ });
    assert.deepEqual(gs.decode(Tree, bytes("919190")), { children: [{ children: [] }] }, "and the depth is right again afterwards");
});

test("real numbers come in every form", () => {
    assert.equal(gs.decode(gs.f64, bytes("ca3f000000")), 0.5);
    assert.equal(gs.decode(gs.f64, bytes("cb3fe0000000000000")), 0.5);
    assert.equal(gs.decode(gs.f64, bytes("05")), 5);
    assert.equal(hex(gs.encode(gs.f32, 0.5)), "cb3fe0000000000000");
    assert.ok(Object.is(gs.decode(gs.f64, gs.encode(gs.f64, -0)), -0));
});

test("generated messages of every kind of field come back, with the server's defaults for a missing tail", () => {
    const { Everything, Tree } = sample;
    const zero = gs.decode(Everything, bytes("90"));
    assert.deepEqual(zero, {
        yes: true, small: -1, middle: 0, large: -5n, player: 0n, half: 0.5, real: 0, text: 'a "b"', bytes: Uint8Array.of(1, 2), maybe: null,
        list: [], names: new Map([[3n, "c"]]), blobs: new Map(), inner: { level: 7, title: null }, other: { level: 9, title: "x" }, flags: [],
    });
    zero.names.clear();
    zero.blobs.set("mine", bytes("01"));
    zero.list.push(zero.inner);
    const other = gs.decode(Everything, bytes("90"));
    assert.deepEqual([other.names.size, other.blobs.size, other.list.length], [1, 0, 0], "defaults are not shared");
    const value = { ...other, maybe: 500, list: [{ level: 1, title: null }], blobs: new Map([["k", Uint8Array.of(9)]]), flags: [true, null] };
    assert.deepEqual(gs.decode(Everything, gs.encode(Everything, value)), value);
    const tree = { value: 1n, children: [{ value: 2n, children: [] }] };
    assert.deepEqual(gs.decode(Tree, gs.encode(Tree, tree)), tree);
    assert.deepEqual([Everything.command, Everything.name, Everything.reply()], [1802, "sample.Everything", Tree]);
});

test("an error of encoding names the field", () => {
    assert.throws(() => gs.encode(Everything, { ...everything, inner: { level: 300, title: null } }),
        { code: "invalid", message: "Everything.inner: Inner.level: 300 is not a whole number from 0 to 255" });
});

test("SHA-256 and HMAC agree with OpenSSL for every length and key", () => {
    for (let length = 0; length < 200; length += 1) {
        const message = randomBytes(length), key = randomBytes(length);
        assert.equal(hex(sha256(message)), createHash("sha256").update(message).digest("hex"), `length ${length}`);
        assert.equal(hex(hmacSha256(key, message)), createHmac("sha256", key).update(message).digest("hex"), `length ${length}`);
    }
});

test("headers with ids and numbers of every size come back", () => {
    for (const number of [1, 127, 128, 300, 2 ** 31, 2 ** 35 + 5, Number.MAX_SAFE_INTEGER]) {
        const out = new Writer();
        writeHeader(out, { kind: Kind.reply, command: 0xabcd, requestId: number, session: number, error: true });
        const { header, body } = parseMessage(out.take());
        assert.deepEqual(header, { kind: Kind.reply, command: 0xabcd, requestId: number, session: number, error: true, state: false });
        assert.equal(body.length, 0);
    }
});

test("a reader works on a part of a buffer", () => {
    const whole = bytes("ff ff cd 01 02 ff");
    const reader = new Reader(whole.subarray(2, 5));
    assert.equal(reader.integer(), 0x102);
    assert.equal(reader.atEnd, true);
});
