// Asks the assistant, and prints the answer as it comes. Usage: node ask.mjs URL QUESTION.
import { io } from "socket.io-client";

const [url, question] = process.argv.slice(2);
const socket = io(url, { transports: ["websocket"] });
let isAsked = false;

socket.once("gateway", (name) => console.log(`held by gateway ${name}`));
socket.on("connect", () => {
  if (!isAsked) {
    socket.emit("ask", question);
  } else if (!socket.recovered) {
    console.log("\nThe session is lost: a part of the answer may be missing.");
    process.exit(1);
  }
  isAsked = true;
});
socket.on("token", (token) => process.stdout.write(token));
socket.on("done", () => {
  console.log(`\nrecovered: ${socket.recovered}`);
  socket.disconnect();
});
