// For tests: a Protocol, what a server would send it at times of the test's choice, and what came of it.
import { Writer } from "../src/msgpack.ts";
import { Protocol } from "../src/protocol.ts";
import { decode, request, struct, text, u8 } from "../src/schema.ts";
import {
    Ack, commands, cutFrame, Enter, Entered, frameBytes, Kind, parseMessage, ServerHello, writeHello, writeMessage,
} from "../src/wire.ts";

export const Echo = request(1000, "echo.Echo", () => Echo, () => [["text", text]]);
export const ErrorBody = struct("Error", () => [["code", u8], ["message", text]]);
export const key = new Uint8Array(32).fill(5);
export const nonce = new Uint8Array(16).fill(6);

export const hello = (fields = {}) => ({ ...ServerHello.zero(), nonce, ...fields });
export const entered = (fields = {}) => ({ ...Entered.zero(), player: 7n, session: 99n, key, ...fields });

export function bytesOf(write) {
    const out = new Writer();
    write(out);
    return out.take();
}
export const helloBytes = (fields) => bytesOf((out) => writeHello(out, ServerHello, hello(fields)));
export const messageBytes = (header, codec, body) => bytesOf((out) => writeMessage(out, header, codec, body));

/** The messages of a stream of whole frames. */
export function messagesIn(stream) {
    const messages = [];
    for (let at = 0; at < stream.length;) {
        const payload = cutFrame(stream, at, 1 << 20);
        if (payload === null) throw new Error("half a frame was sent");
        messages.push(parseMessage(payload));
        at += frameBytes(payload);
    }
    return messages;
}

export class Talk {
    now = 3_600_000;
    events = { entered: [], queued: [], resumed: [], pushes: [], away: [], closed: [] };

    constructor(options = {}) {
        this.protocol = new Protocol({
            onEntered: (entered) => this.events.entered.push(entered.player),
            onQueued: (queued) => this.events.queued.push(queued),
            onResumed: (entered) => this.events.resumed.push(entered.state),
            onPush: (command, body) => this.events.pushes.push(`${command} ${decode(Echo, body).text}`),
            onAway: (close) => this.events.away.push(close),
            onClosed: (close) => this.events.closed.push(close),
        }, options);
    }

    receive(bytes) {
        this.protocol.receive(bytes, this.now);
    }
    fromServer(header, codec, body) {
        this.receive(messageBytes(header, codec, body));
    }
    control(command, codec, body) {
        this.fromServer({ kind: Kind.control, command }, codec, body);
    }
    hello(fields) {
        this.receive(helloBytes(fields));
    }
    entered(fields) {
        this.fromServer({ kind: Kind.reply, command: commands.enter }, Entered, entered(fields));
    }
    refuse(code) {
        this.fromServer({ kind: Kind.reply, command: commands.enter, error: true }, ErrorBody, { code, message: "no" });
    }
    enter(heartbeatMs = 0) {
        this.protocol.start("token", this.now);
        this.hello({ heartbeatMs, frameBytesMax: 200 });
        this.entered();
        this.protocol.output.clear();
        return this;
    }
    /** A new connection up to the client's Enter, which it returns. */
    comeBack() {
        this.protocol.resume(this.now);
        this.protocol.output.clear();
        this.hello();
        const enter = decode(Enter, this.sent()[0].body);
        this.protocol.output.clear();
        return enter;
    }
    resumed(state, received, next) {
        this.entered({ state, received: BigInt(received), next: BigInt(next) });
    }
    ask(text, deadlineMs = 5000) {
        const answer = { count: 0 };
        this.protocol.send(Echo, { text }, this.now + deadlineMs, (body) => {
            answer.count += 1;
            if (body instanceof Error) Object.assign(answer, { code: body.code, message: body.message });
            else answer.text = decode(Echo, body).text;
        });
        return answer;
    }
    answer(requestId, text, session = 0) {
        this.fromServer({ kind: Kind.reply, command: Echo.command, requestId, session }, Echo, { text });
    }
    answerError(requestId, code, { command = Echo.command, session = 0 } = {}) {
        this.fromServer({ kind: Kind.reply, command, requestId, session, error: true }, ErrorBody, { code, message: "slow down" });
    }
    push(text, session) {
        this.fromServer({ kind: Kind.push, command: 1300, session }, Echo, { text });
    }
    tick(afterMs = 0) {
        this.now += afterMs;
        this.protocol.tick(this.now);
    }
    /** What waits to be sent; it stays there. */
    sent() {
        return messagesIn(this.protocol.output.written.slice());
    }
    sentIds() {
        return this.sent().filter(({ header }) => header.kind === Kind.request).map(({ header }) => header.requestId);
    }
    sentAcks() {
        return this.sent().flatMap(({ header, body }) =>
            header.command === commands.ack ? Number(decode(Ack, body).received) : header.session || []);
    }
}
