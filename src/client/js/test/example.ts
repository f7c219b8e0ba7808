import { Client, guest } from "gameserver-client";
import { chat } from "../generated/messages.js";

const login = await guest("http://127.0.0.1:7080");
const client = new Client();
client.on(chat.Said, ({ channel, line }) => console.log(`${channel}: ${line.from} says ${line.text}`));
client.onAway(() => console.log("one moment"));
client.onResumed((gap) => console.log(gap ? "back, and something is lost" : "back"));
client.onClosed(({ reason }) => console.log(`disconnected: ${reason}`));

const player = await client.connect(login);
await client.request(chat.Join, { channel: "lobby" });
const { line } = await client.request(chat.Say, { channel: "lobby", text: `player ${player} is here` });
console.log(`that was line ${line} of the channel`);
client.close();
