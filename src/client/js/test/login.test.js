import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";

import { gateways, guest, login, register } from "../src/login.ts";

const grant = {
    token: "T", expires_at: 1795296830, player: "18446744073709551615", guest_key: "K",
    gateways: [{ name: "node-1", address: "127.0.0.1:7000", websocket: "ws://127.0.0.1:7001/", load: 3 }, { name: "old", address: "127.0.0.1:1" }],
};

/** A login role that answers as `answer` says; what it was asked is in `asked`. */
async function withServer(answer, use) {
    const asked = [];
    const server = createServer(async (request, response) => {
        let body = "";
        for await (const part of request) body += part;
        asked.push([request.method, request.url, body]);
        const [status, text] = answer;
        response.writeHead(status, { "Content-Type": "application/json" }).end(typeof text === "string" ? text : JSON.stringify(text));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
        await use(`http://127.0.0.1:${server.address().port}/`, asked);
    } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
    }
}

test("each way of logging in asks what it should and reads the whole answer", () => withServer([200, grant], async (url, asked) => {
    const guestLogin = await guest(url);
    assert.deepEqual(guestLogin, {
        token: "T", expiresAt: 1795296830, player: 18446744073709551615n, guestKey: "K",
        gateways: [{ name: "node-1", address: "127.0.0.1:7000", websocket: "ws://127.0.0.1:7001/", load: 3 },
            { name: "old", address: "127.0.0.1:1", websocket: "", load: 0 }],
    });
    await guest(url, "K");
    await register(url, "ada", "correct-horse");
    await login(url, "ada", "correct-horse");
    assert.deepEqual(asked, [
        ["POST", "/v1/guest", "{}"], ["POST", "/v1/guest", '{"guest_key":"K"}'],
        ["POST", "/v1/register", '{"name":"ada","password":"correct-horse"}'], ["POST", "/v1/login", '{"name":"ada","password":"correct-horse"}'],
    ]);
    assert.equal((await gateways(url)).length, 2);
    assert.deepEqual(asked.at(-1), ["GET", "/v1/gateways", ""]);
}));

test("an error of the server keeps its code and message", () =>
    withServer([409, { error: { code: "conflict", message: "the name is taken" } }], (url) =>
        assert.rejects(register(url, "ada", "x"), { name: "GameError", code: "conflict", message: "the name is taken" })));

test("an error of something else is told by its status", async () => {
    await withServer([502, "<html>"], (url) => assert.rejects(guest(url), { code: "unavailable", message: /HTTP status 502/ }));
    await withServer([404, '{"error":{"code":"nonsense","message":"x"}}'], (url) => assert.rejects(guest(url), { code: "invalid", message: /404/ }));
});

test("answers that are not as expected say so", async () => {
    for (const answer of ["{", "{}", "[]", "null", { ...grant, player: "seven" }, { ...grant, token: 5 }, { ...grant, gateways: [{}] }])
        await withServer([200, answer], (url) => assert.rejects(guest(url), { code: "invalid", message: /not as expected/ }));
});

test("a login server that is not there is unavailable", async () => {
    let gone;
    await withServer([200, grant], (url) => void (gone = url));
    await assert.rejects(guest(gone), { code: "unavailable" });
});
