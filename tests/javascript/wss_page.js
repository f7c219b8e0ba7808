// A tab opens /play of a server that has a TLS certificate: it is loaded over https and plays over wss.
// usage: wss_page LOGIN_URL CHROMIUM SCRATCH_DIRECTORY
import assert from "node:assert/strict";

import { Browser } from "./browser.js";
import { main } from "./server.js";

const [server, chromium, directory] = process.argv.slice(2);

await main(async () => {
    // The certificate of the test signs itself.
    const browser = await Browser.start(chromium, directory, ["--ignore-certificate-errors"]);
    try {
        const tab = await browser.openTab(`${server}/play`);
        await tab.until(`document.querySelector("#state")?.dataset.state === "connected"`);
        await tab.type("#text", "hello over TLS");
        await tab.until(`[...document.querySelectorAll("#lines li")].some((line) => line.innerText.includes("hello over TLS"))`);
        assert.equal(tab.sockets.length, 1);
        assert.match(tab.sockets[0], /^wss:/);
        assert.deepEqual(tab.problems, []);
    } finally {
        await browser.stop();
    }
    return "a tab over https and wss";
});
