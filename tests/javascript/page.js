// Two tabs open /play: two players, who hear each other; a reload keeps the player; what goes wrong is told, and passes.
// usage: page LOGIN_URL CHROMIUM SCRATCH_DIRECTORY DIRECTORY_FOR_PICTURES
import assert from "node:assert/strict";

import { Browser } from "./browser.js";
import { main } from "./server.js";

const [server, chromium, directory, pictures] = process.argv.slice(2);

const isIn = `document.querySelector("#state")?.dataset.state === "connected"`;
const hears = (text) => `[...document.querySelectorAll("#lines li")].some((line) => line.innerText.includes(${JSON.stringify(text)}))`;

async function play(browser) {
    const anna = await browser.openTab(`${server}/play`), bert = await browser.openTab(`${server}/play`);
    await anna.until(isIn);
    await bert.until(isIn);
    const player = await anna.text("#player"), other = await bert.text("#player");
    assert.match(player, /^player \d+$/);
    assert.notEqual(player, other, "two tabs are two players");

    await anna.type("#text", "hello from the first tab");
    await bert.until(hears("hello from the first tab"));
    await anna.until(hears("hello from the first tab"));
    assert.equal(await bert.evaluate(`document.querySelector("#lines .from").innerText`), player);
    assert.equal(await anna.evaluate(`document.querySelector("#lines .from").innerText`), "you");
    await bert.type("#text", "<b>not bold</b> & heard");
    await anna.until(hears("<b>not bold</b> & heard"));
    await anna.until(`/^[\\d.]+ ms$/.test(document.querySelector("#rtt").innerText)`);

    await anna.call("Page.reload");
    await anna.until(`${isIn} && ${hears("<b>not bold</b> & heard")}`);
    assert.equal(await anna.text("#player"), player, "a reload keeps the player");
    await bert.type("#text", "welcome back");
    await anna.until(hears("welcome back"));
    await anna.screenshot(`${pictures}/play.png`);

    await anna.type("#channel", "elsewhere");
    await anna.until(`location.hash === "#elsewhere" && document.querySelectorAll("#lines li").length === 0`);
    await anna.type("#channel", "x".repeat(101));  // cut by the field
    await anna.until(`document.querySelector("#channel").value.length === 100`);

    // The same player in another tab: the first one is told, and offers to come back.
    assert.deepEqual([...anna.problems, ...bert.problems], []);
    const key = await bert.evaluate(`sessionStorage.getItem("gameserver.guest_key")`);
    const taken = await browser.openTab(`${server}/v1/keys`);
    await taken.until(`document.readyState === "complete" && location.pathname === "/v1/keys"`);
    await taken.evaluate(`sessionStorage.setItem("gameserver.guest_key", ${JSON.stringify(key)})`);
    await taken.call("Page.navigate", { url: `${server}/play` });
    await taken.until(isIn);
    assert.equal(await taken.text("#player"), other);
    await bert.until(`document.querySelector("#state").dataset.state === "closed"`);
    assert.match(await bert.text("#trouble"), /logged in elsewhere/);
    await bert.screenshot(`${pictures}/play_closed.png`);
    await bert.evaluate(`document.querySelector("#again").click()`);
    await bert.until(isIn);
    assert.equal(await bert.text("#player"), other);

    // The server is killed: both say so, and go on when it is back.
    for (const tab of [anna, bert]) {
        await tab.evaluate(`window.states = [], new MutationObserver(() => states.push(document.querySelector("#state").dataset.state))
            .observe(document.querySelector("#state"), { attributes: true }), 0`);
    }
    console.log("ready: the server may be killed");
    for (const tab of [anna, bert]) await tab.until(`states.includes("reconnecting") && ${isIn}`);
    await anna.type("#channel", "afterwards");
    await bert.type("#channel", "afterwards");
    for (const tab of [anna, bert]) await tab.until(`location.hash === "#afterwards"`);
    await anna.type("#text", "still here");
    await bert.until(hears("still here"));
}

await main(async () => {
    const browser = await Browser.start(chromium, directory);
    try {
        await play(browser);
    } finally {
        await browser.stop();
    }
    return "two tabs, two players";
});
