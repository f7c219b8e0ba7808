// A headless Chromium, driven by the DevTools protocol over a pipe: it ends when this process does.
// https://chromedevtools.github.io/devtools-protocol/
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";

export class Browser {
    #child;
    #next = 1;
    #waiting = new Map();
    #listeners = [];

    static async start(chromium, directory, more = []) {
        const browser = new Browser();
        const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--window-size=900,640",
            `--user-data-dir=${directory}/chromium`, `--crash-dumps-dir=${directory}/crashes`, ...more, "about:blank"];
        browser.#child = spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], env: { ...process.env, HOME: directory } });
        let text = "";
        browser.#child.stdio[4].setEncoding("utf8").on("data", (part) => {
            const messages = (text + part).split("\0");
            text = messages.pop();
            for (const message of messages) browser.#take(JSON.parse(message));
        });
        browser.#child.stdio[3].on("error", () => {});
        browser.#child.on("exit", (code) => {
            for (const { reject } of browser.#waiting.values()) reject(new Error(`Chromium ended with ${code}`));
        });
        await browser.call("Browser.getVersion");
        return browser;
    }

    call(method, params = {}, sessionId) {
        return new Promise((resolve, reject) => {
            const id = this.#next;
            this.#next += 1;
            this.#waiting.set(id, { resolve, reject, method });
            this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
        });
    }
    onEvent(listener) {
        this.#listeners.push(listener);
    }
    async openTab(url) {
        const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
        const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
        const tab = new Tab(this, sessionId);
        await tab.call("Runtime.enable");
        await tab.call("Log.enable");
        await tab.call("Network.enable");
        await tab.call("Page.enable");
        await tab.call("Page.navigate", { url });
        return tab;
    }
    /** Resolves when the process has ended. */
    async stop() {
        const ended = this.#child.exitCode !== null ? null : new Promise((resolve) => this.#child.once("exit", resolve));
        this.call("Browser.close").catch(() => {});
        const patience = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
        await ended;
        clearTimeout(patience);
    }

    #take(message) {
        if (message.id === undefined) {
            for (const listener of this.#listeners) listener(message);
            return;
        }
        const { resolve, reject, method } = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.error) reject(new Error(`${method}: ${message.error.message}`));
        else resolve(message.result);
    }
}

class Tab {
    /** What went wrong in the page: exceptions, and errors in its log. */
    problems = [];
    /** The addresses of its WebSockets, in the order of their opening. */
    sockets = [];

    constructor(browser, sessionId) {
        this.browser = browser;
        this.sessionId = sessionId;
        browser.onEvent(({ method, params, sessionId }) => {
            if (sessionId !== this.sessionId) return;
            if (method === "Runtime.exceptionThrown") this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
            if (method === "Network.webSocketCreated") this.sockets.push(params.url);
            if (method === "Log.entryAdded" && params.entry.level === "error") this.problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
        });
    }
    call(method, params) {
        return this.browser.call(method, params, this.sessionId);
    }
    async evaluate(expression) {
        const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
        if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
        return result.value;
    }
    /** Asks until the expression is true. */
    async until(expression) {
        const deadline = Date.now() + 20_000;
        // The page may be between two documents.
        while (!(await this.evaluate(expression).catch(() => false))) {
            if (Date.now() > deadline) throw new Error(`never true: ${expression}\n${await this.evaluate("document.body?.innerText")}\n${this.problems.join("\n")}`);
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
    }
    text(selector) {
        return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);
    }
    /** As a person does it: the focus, then keys. */
    async type(selector, text) {
        await this.call("Page.bringToFront");
        const field = `document.querySelector(${JSON.stringify(selector)})`;
        await this.evaluate(`(${field}.focus(), ${field}.select())`);
        await this.call("Input.insertText", { text });
        for (const type of ["keyDown", "keyUp"])
            await this.call("Input.dispatchKeyEvent", { type, key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, ...(type === "keyDown" ? { text: "\r" } : {}) });
    }
    async screenshot(file) {
        const { data } = await this.call("Page.captureScreenshot", { format: "png" });
        writeFileSync(file, Buffer.from(data, "base64"));
    }
}
