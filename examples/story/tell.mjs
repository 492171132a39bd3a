// Asks for a story, and goes on after the last token if its gateway dies. Usage: node tell.mjs URL LENGTH.
import { io } from "socket.io-client";

const [url, length] = process.argv.slice(2);
const socket = io(url, { transports: ["websocket"] });
const tokens = [];
let attempt = 0;

socket.once("gateway", (name) => console.log(`held by gateway ${name}`));
socket.on("token", (of, token) => {
  // What is left of an earlier attempt does not count: the handler was asked for it again.
  if (of === attempt) {
    tokens.push(token);
    process.stdout.write(token);
  }
});

for (;;) {
  if (!socket.connected) {
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  attempt += 1;
  try {
    await socket.emitWithAck("tell", { length: Number(length), attempt, have: tokens.length });
    break;
  } catch {
    // The connection was lost before the ack, perhaps with the handler.
  }
}
console.log(`\nattempts: ${attempt}`);
socket.disconnect();
