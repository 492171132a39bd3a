// Drives the official client; see kinds.py. Usage: node client.mjs socket.io-client|socket.io-client-4.5
import { createInterface } from "node:readline";

const { io } = await import(process.argv[2]);
const sockets = new Map();

const print = (line) => process.stdout.write(JSON.stringify(line, packed) + "\n");

// A replacer sees a Buffer only as {type: "Buffer", data: [...]}, so it checks the values that contain buffers.
function packed(key, value) {
  const original = this[key];
  return Buffer.isBuffer(original) ? { base64: original.toString("base64") } : value;
}

function unpacked(_, value) {
  return typeof value?.base64 === "string" ? Buffer.from(value.base64, "base64") : value;
}

const operations = {
  open({ client, url, options }) {
    const socket = io(url, { forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 500, ...options });
    const happened = (name, ...args) => print({ client, happened: name, args });
    socket.on("connect", () => happened("connect"));
    socket.on("disconnect", (reason) => happened("disconnect", reason));
    socket.on("connect_error", (error) => happened("connect_error", error.message));
    socket.onAny((event, ...args) => {
      if (event === "question") args.pop()(...args);
      else happened("event", event, ...args);
    });
    sockets.set(client, socket);
    return null;
  },

  emit: ({ client, event, args }) =>
    new Promise((resolve) => sockets.get(client).emit(event, ...args, (...answer) => resolve(answer))),

  send({ client, event, args }) {
    sockets.get(client).emit(event, ...args);
    return null;
  },

  close({ client }) {
    sockets.get(client).disconnect();
    return null;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line, unpacked);
  Promise.resolve()
    .then(() => operations[request.op](request))
    .then((ok) => print({ id: request.id, ok }), (error) => print({ id: request.id, error: String(error) }));
}
process.exit(0);
