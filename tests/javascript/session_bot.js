// Two players; the line of one of them is cut again and again, while the other one whispers to it and it gives gold away
// and says lines: each whisper comes once and in order, each request is done once and answered.
// usage: session_bot LOGIN_URL
import assert from "node:assert/strict";

import { chat, echo, trade } from "../../src/client/js/generated/messages.ts";
import { GameError, guest, login, register } from "../../src/client/js/src/index.ts";
import { Line, main, newClient, until } from "./server.js";

const server = process.argv[2];
const cuts = 12, whispersPerCut = 15;

async function basics() {
    const anna = newClient({ clientVersion: "session_bot 1.0" });
    const account = await register(server, "anna", "correct-horse");
    assert.equal(await anna.connect(account), account.player);
    assert.deepEqual(await anna.request(echo.Echo, { text: "grüße \u{1f600}" }), { text: "grüße \u{1f600}" });
    assert.deepEqual(await anna.request(trade.ShowBalance, {}), { gold: 100n });
    const asked = Array.from({ length: 50 }, (_, index) => anna.request(echo.Echo, { text: `text ${index}` }));
    (await Promise.all(asked)).forEach(({ text }, index) => assert.equal(text, `text ${index}`));
    await assert.rejects(anna.request(trade.Give, { to: 2n, gold: 0n, deal: "" }), { name: "GameError", code: "invalid" });
    await assert.rejects(anna.request(echo.Echo, { text: "x".repeat(20_000) }), { code: "invalid", message: /at most 16384/ });
    await until("a heartbeat", () => anna.rttMs !== null);
    assert.ok(anna.rttMs < 1000);

    const closed = new Promise((resolve) => anna.onClosed(resolve));
    const elsewhere = newClient();
    assert.equal(await elsewhere.connect(await login(server, "anna", "correct-horse")), account.player);
    const { code, reconnect } = await closed;
    assert.equal(code, "fenced");
    assert.equal(reconnect, false);
    elsewhere.close();

    await assert.rejects(login(server, "anna", "wrong-password"), { code: "unauthenticated" });
    await assert.rejects(newClient().connect({ ...account, token: "forged" }), (error) => error instanceof GameError && error.code === "unauthenticated");
    const first = await guest(server);
    assert.equal((await guest(server, first.guestKey)).player, first.player);
}

async function survives() {
    const line = await Line.to((await guest(server)).gateways[0]);
    const annasLogin = await guest(server);
    const anna = newClient({ reconnect: { baseMs: 5, capMs: 20 } }), bert = newClient();
    const events = { away: 0, resumed: 0, gaps: 0, closed: 0 };
    anna.onAway(() => (events.away += 1));
    anna.onResumed((gap) => (events[gap ? "gaps" : "resumed"] += 1));
    anna.onClosed(() => (events.closed += 1));
    const heard = [];
    anna.on(chat.Whispered, ({ text }) => heard.push(text));
    const received = [];
    bert.on(trade.Given, ({ gold }) => received.push(gold));
    await anna.connect({ ...annasLogin, gateways: [line.gateway] });
    await bert.connect(await guest(server));

    const whispered = [], replies = [];
    for (let cut = 0; cut < cuts; cut += 1) {
        const whispers = [];
        for (let index = 0; index < whispersPerCut; index += 1) {
            const text = `whisper ${whispered.length}`;
            whispered.push(text);
            whispers.push(bert.request(chat.Whisper, { to: anna.player, text }));
        }
        // No deal's name, and each of another amount: one that is done twice, or not at all, shows in the sum.
        replies.push(anna.request(trade.Give, { to: bert.player, gold: BigInt(cut + 1), deal: "" }, { deadlineMs: 20_000 }));
        replies.push(anna.request(echo.Echo, { text: `echo ${cut}` }, { deadlineMs: 20_000 }));
        line.cut();
        await Promise.all(whispers);
        await until("the resume", () => events.resumed + events.gaps > cut);
    }
    const answers = await Promise.all(replies);
    await until("all whispers", () => heard.length >= whispered.length);
    await until("all gold", () => received.length >= cuts);
    assert.deepEqual(heard, whispered);
    assert.deepEqual(received, Array.from({ length: cuts }, (_, index) => BigInt(index + 1)));
    answers.forEach((answer, index) => index % 2 === 1 && assert.deepEqual(answer, { text: `echo ${(index - 1) / 2}` }));
    const given = BigInt(cuts * (cuts + 1) / 2);
    assert.deepEqual(await anna.request(trade.ShowBalance, {}), { gold: 100n - given });
    assert.deepEqual(await bert.request(trade.ShowBalance, {}), { gold: 100n + given });
    assert.deepEqual(events, { away: cuts, resumed: cuts, gaps: 0, closed: 0 });
    anna.close();
    bert.close();
    line.close();
}

await main(async () => {
    await basics();
    await survives();
    return `${cuts} cuts, ${cuts * whispersPerCut} whispers and ${2 * cuts} requests, each once`;
});
