import assert from "node:assert/strict";
import test from "node:test";

import { defaultReconnectOptions, Reconnect } from "../src/reconnect.ts";

test("full jitter doubles its bound up to the cap and goes round the gateways", () => {
    const most = new Reconnect(defaultReconnectOptions, () => 1);
    most.lost(1, 0);
    const tries = Array.from({ length: 8 }, () => most.next(3, 0));
    assert.deepEqual(tries.map(({ waitMs }) => waitMs), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert.deepEqual(tries.map(({ gateway }) => gateway), [2, 0, 1, 2, 0, 1, 2, 0]);
    most.lost(0, 0);
    assert.equal(most.next(1, 0).waitMs, 100);
    const least = new Reconnect(defaultReconnectOptions, () => 0);
    least.lost(0, 0);
    assert.deepEqual(least.next(1, 0), { waitMs: 0, gateway: 0 });
});

test("it gives up when the server has forgotten the session", () => {
    const reconnect = new Reconnect(defaultReconnectOptions, () => 0.5);
    reconnect.lost(0, 1000);
    assert.notEqual(reconnect.next(1, 60_949), null);
    assert.equal(reconnect.next(1, 60_900), null);
    assert.equal(reconnect.next(1, 61_000), null);
});
