// The official client with the official parser for msgpack, at the address of its argument. It prints a line of JSON for each thing that it gets.
import { io } from "socket.io-client";
import parser from "socket.io-msgpack-parser";

const say = (...what) => console.log(JSON.stringify(what, (_, value) => (value?.type === "Buffer" ? `bytes ${value.data}` : value)));
const socket = io(process.argv[2], { parser, transports: [process.argv[3]], reconnection: false });
const refused = io(`${process.argv[2]}/refused`, { parser, transports: [process.argv[3]], forceNew: true, reconnection: false });

refused.on("connect_error", (error) => {
  say("refused", error.message);
  refused.close();
});
socket.onAny((event, ...args) => event === "question" || say(event, ...args));
socket.on("question", (text, answer) => answer(`${text}!`, undefined));
socket.on("disconnect", (reason) => {
  say("disconnected", reason);
  process.exit();
});
socket.on("connect", async () => {
  say("echo", ...(await socket.emitWithAck("echo", ["text", 1.5, { a: [null, true], nothing: undefined }, Buffer.from("abc"), undefined])));
  say("asked", await socket.emitWithAck("ask"));
  await socket.emitWithAck("join", "den");
  socket.emit("leave");
});
