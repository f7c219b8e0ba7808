// What the players here have in common: a client for Node, a line that can be cut, and waiting without sleeping.
import { connect, createServer } from "node:net";
import { createRequire } from "node:module";

import { Client } from "../../src/client/js/src/index.ts";

/** Debian's node-ws: Node has a WebSocket of its own from version 22 on only. */
const { WebSocket } = createRequire(import.meta.url)("/usr/share/nodejs/ws");

export const newClient = (options = {}) => new Client({ webSocket: WebSocket, ...options });

export async function until(what, isTrue) {
    const deadline = Date.now() + 20_000;
    while (!isTrue()) {
        if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
}

/** A line to a gateway that can be cut. */
export class Line {
    #sockets = new Set();
    #server;
    cuts = 0;

    static async to(gateway) {
        const line = new Line();
        const { hostname, port } = new URL(gateway.websocket);
        line.#server = createServer((near) => {
            const far = connect(Number(port), hostname);
            for (const [one, other] of [[near, far], [far, near]]) {
                line.#sockets.add(one);
                one.on("data", (bytes) => other.write(bytes));
                one.on("error", () => {});
                one.on("close", () => {
                    line.#sockets.delete(one);
                    other.destroy();
                });
            }
        });
        await new Promise((resolve) => line.#server.listen(0, "127.0.0.1", resolve));
        line.gateway = { ...gateway, websocket: `ws://127.0.0.1:${line.#server.address().port}/` };
        return line;
    }
    /** In the middle of whatever is on it, without a goodbye. */
    cut() {
        this.cuts += 1;
        for (const socket of this.#sockets) socket.resetAndDestroy();
    }
    close() {
        this.#server.close();
    }
}

/** Runs a script to its end: exit code 0 only when it says what it has shown. */
export async function main(script) {
    try {
        console.log(`ok: ${await script()}`);
        process.exit(0);
    } catch (error) {
        console.log(error);
        process.exit(1);
    }
}
