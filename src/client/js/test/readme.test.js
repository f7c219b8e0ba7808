// The example of README.md is test/example.ts, which tsc checks.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

test("the example of the README compiles", () => {
    const folder = `${process.env.GS_SOURCE_DIR ?? "."}/src/client/js`;
    const shown = /^```ts\n(.*?)^```$/ms.exec(readFileSync(`${folder}/README.md`, "utf8"))[1];
    const compiled = readFileSync(`${folder}/test/example.ts`, "utf8");
    assert.equal(shown.replace("./messages.js", "../generated/messages.js"), compiled);
});
