// Joins a channel, says a line, and waits for one of somebody else, which it prints.
// usage: chat_bot LOGIN_URL CHANNEL
import { chat } from "../../src/client/js/generated/messages.ts";
import { guest } from "../../src/client/js/src/index.ts";
import { main, newClient, until } from "./server.js";

const [server, channel] = process.argv.slice(2);

await main(async () => {
    const client = newClient();
    let heard = 0;
    client.on(chat.Said, ({ line }) => {
        if (line.from === client.player) return;
        console.log(`heard ${line.number} from ${line.from}: ${line.text}`);
        heard += 1;
    });
    await client.connect(await guest(server));
    await client.request(chat.Join, { channel });
    await client.request(chat.Say, { channel, text: "hello from Node ✓" });
    await until("a line of another player", () => heard > 0);
    client.close();
    return "heard";
});
