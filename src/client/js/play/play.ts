// The page that `gameserver` serves in development mode: logs in as a guest and chats. It is also the kit's example of a
// program in the browser.
import { Client, GameError, guest } from "gameserver-client";
import type { Code, Login } from "gameserver-client";

import { chat } from "../generated/messages.js";

const guestKeyName = "gameserver.guest_key";  // in the tab's own storage, so that two tabs are two players
const linesShownMax = 500;
const retryMs = 2000;
const mayPass: readonly Code[] = ["unavailable", "busy", "limited", "deadline"];  // a server that is being started again

function element<T extends HTMLElement>(id: string, type: new () => T): T {
    const found = document.getElementById(id);
    if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
    return found;
}
const page = {
    state: element("state", HTMLElement),
    player: element("player", HTMLElement),
    rtt: element("rtt", HTMLElement),
    join: element("join", HTMLFormElement),
    channel: element("channel", HTMLInputElement),
    lines: element("lines", HTMLOListElement),
    trouble: element("trouble", HTMLElement),
    troubleText: element("trouble-text", HTMLElement),
    again: element("again", HTMLButtonElement),
    say: element("say", HTMLFormElement),
    text: element("text", HTMLInputElement),
};

const client = new Client({ clientVersion: "play" });
let channel = decodeURIComponent(location.hash.slice(1)) || "lobby";
let lines = new Map<bigint, chat.Line>();

// --- what is shown ---------------------------------------------------------------------------------------------------

function showState(state: "connecting" | "connected" | "reconnecting" | "closed"): void {
    page.state.dataset["state"] = state;
    page.state.textContent = state;
    for (const field of page.say.elements) (field as HTMLInputElement).disabled = state !== "connected";
    if (state === "connected") page.text.focus();
}
function showRtt(): void {
    const rtt = client.connected ? client.rttMs : null;
    page.rtt.textContent = rtt === null ? "–" : `${rtt < 10 ? rtt.toFixed(1) : Math.round(rtt)} ms`;
}
/** `offer` says whether logging in again makes sense. */
function showTrouble(text: string, offer: boolean): void {
    page.troubleText.textContent = text;
    page.again.hidden = !offer;
    page.trouble.hidden = text === "";
}
function describe(error: unknown): string {
    return error instanceof GameError ? `${error.message} (${error.code})` : String(error);
}

function item(className: string, ...parts: HTMLElement[]): HTMLLIElement {
    const entry = document.createElement("li");
    entry.className = className;
    entry.append(...parts);
    return entry;
}
function span(className: string, text: string): HTMLSpanElement {
    const part = document.createElement("span");
    part.className = className;
    part.textContent = text;
    return part;
}
/** Lines are numbered without a hole: a jump says that some were missed. */
function showLines(): void {
    const known = [...lines.values()].sort((one, other) => (one.number < other.number ? -1 : 1)).slice(-linesShownMax);
    lines = new Map(known.map((line) => [line.number, line]));
    const items: HTMLLIElement[] = [];
    let last = known[0]?.number;
    for (const line of known) {
        const missing = line.number - (last ?? line.number) - 1n;
        if (missing > 0n) items.push(item("missing", span("", missing === 1n ? "a line is missing" : `${missing} lines are missing`)));
        last = line.number;
        const own = line.from === client.player;
        items.push(item(own ? "own" : "", span("from", own ? "you" : `player ${line.from}`), span("text", line.text)));
    }
    page.lines.replaceChildren(...items);
    page.lines.scrollTop = page.lines.scrollHeight;
}
function addLines(more: chat.Line[]): void {
    for (const line of more) lines.set(line.number, line);
    showLines();
}

// --- what happens ----------------------------------------------------------------------------------------------------

async function logIn(): Promise<Login> {
    const key = sessionStorage.getItem(guestKeyName) ?? "";
    try {
        return await guest(location.origin, key);
    } catch (error) {
        // The server's data was thrown away: be somebody new.
        if (key === "" || !(error instanceof GameError) || !["unauthenticated", "not_found"].includes(error.code)) throw error;
        return await guest(location.origin);
    }
}

async function enter(): Promise<void> {
    showState("connecting");
    showTrouble("", false);
    try {
        const login = await logIn();
        sessionStorage.setItem(guestKeyName, login.guestKey);
        page.player.textContent = `player ${await client.connect(login)}`;
        showTrouble("", false);
        showState("connected");
        await goTo(channel);
    } catch (error) {
        over(describe(error), error instanceof GameError && mayPass.includes(error.code));
    }
}

/** Nobody plays here any more; `retry`: try again by itself. */
function over(why: string, retry: boolean): void {
    showState("closed");
    showTrouble(why, !retry);
    if (retry) setTimeout(() => void enter(), retryMs);
}

async function goTo(name: string): Promise<void> {
    const { last_lines } = await client.request(chat.Join, { channel: name });
    const left = channel;
    if (name !== left) lines.clear();
    channel = page.channel.value = name;
    history.replaceState(null, "", `#${encodeURIComponent(name)}`);
    addLines(last_lines);
    if (name !== left) await client.request(chat.Leave, { channel: left });
}

/** What a form asks of the server; an error is shown and the form can be used again. */
async function attempt(act: () => Promise<void>): Promise<void> {
    try {
        showTrouble("", false);
        await act();
    } catch (error) {
        showTrouble(describe(error), false);
    }
}

client.on(chat.Said, ({ channel: where, line }) => {
    if (where === channel) addLines([line]);
});
client.onQueued(({ position, waitSeconds }) => {
    const wait = waitSeconds === 0 ? "" : `, about ${waitSeconds} s`;
    showTrouble(`The server is full: you are number ${position} in the queue${wait}.`, false);
});
client.onAway(() => showState("reconnecting"));
client.onResumed(() => {
    showState("connected");
    void attempt(() => goTo(channel));  // what was said meanwhile is not sent again, but the last lines come with this
});
client.onClosed(({ code, reason, reconnect }) =>
    over(code === "fenced" ? "This player has logged in elsewhere." : `${reason} (${code})`, reconnect));

page.again.addEventListener("click", () => void enter());
page.join.addEventListener("submit", (event) => {
    event.preventDefault();
    void attempt(() => goTo(page.channel.value.trim()));
});
page.say.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = page.text.value.trim();
    if (text === "") return;
    void attempt(async () => {
        await client.request(chat.Say, { channel, text });
        page.text.value = "";
    });
});
// A tab that goes away leaves; one that comes back out of the browser's cache starts anew.
addEventListener("pagehide", () => client.close());
addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
});
setInterval(showRtt, 500);
page.channel.value = channel;
void enter();
