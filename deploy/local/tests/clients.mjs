// Official socket.io clients, driven over stdin and stdout by clients.py: one JSON object a line.
//
//   {"id": 1, "op": "open", "client": "a", "url": "...", "options": {...}}    -> {"id": 1, "ok": null}
//   {"id": 2, "op": "emit", "client": "a", "event": "x", "args": [...]}       -> {"id": 2, "ok": <ack>}
//   {"id": 5, "op": "again", "client": "a", "calls": ["disconnect", "connect"]}  -> all within one tick
//   {"id": 3, "op": "state", "client": "a"}                                   -> {"id": 3, "ok": {...}}
//   {"id": 4, "op": "close", "client": "a"}                                   -> {"id": 4, "ok": null}
//
// What a client experiences is printed as it happens: {"client": "a", "happened": "connect", "args": [...]}.
// With the option `frames` it also prints each message as it came in, sends an argument {"base64": "..."} as bytes, and answers a `question`.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const ACK_TIMEOUT_MS = 5_000;
const OFFSET = /^[\w-]{1,32}\.\d+$/;
const clients = new Map();

const frame = (data) => (typeof data === "string" ? data : { base64: Buffer.from(data).toString("base64") });
const sent = ({ frames }, args) => (frames ? args.map((arg) => (arg?.base64 === undefined ? arg : Buffer.from(arg.base64, "base64"))) : args);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const operations = {
  open({ client, url, options: { calls = [], kept = [], frames = false, ...options } }) {
    const socket = io(url, { forceNew: true, ...options });
    for (const call of calls) socket[call]();
    // Sent once it is connected, as what it says while it is away.
    for (const [event, ...args] of kept) socket.emit(event, ...args, (ack) => print({ client, happened: "ack", args: [ack] }));
    const happened = (name) => (...args) => print({ client, happened: name, args });
    socket.io.on("open", () => socket.io.engine.on("upgrade", (transport) => happened("upgrade")(transport.name)));
    if (frames) socket.io.on("open", () => socket.io.engine.on("packet", ({ type, data }) => type === "message" && happened("frame")(frame(data))));
    if (frames) socket.on("question", (question, answer) => answer(`${question}!`));
    socket.frames = frames;
    socket.on("connect", () => happened("connect")(socket.id));
    socket.on("disconnect", (reason) => happened("disconnect")(reason));
    socket.on("connect_error", (error) => happened("connect_error")(error.message, error.data ?? null));
    socket.onAny((event, ...args) => {
      // Where a client can be recovered, the last argument of an event is its offset.
      if (OFFSET.test(args.at(-1))) {
        args.pop();
        socket.offsets = (socket.offsets ?? 0) + 1;
      }
      print({ client, happened: "event", args: [event, ...args] });
    });
    clients.set(client, socket);
    return null;
  },

  emit({ client, event, args }) {
    const socket = clients.get(client);
    return socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, ...sent(socket, args));
  },

  send({ client, event, args, with_ack }) {
    const socket = clients.get(client);
    socket.emit(event, ...sent(socket, args), ...(with_ack ? [() => {}] : []));
    return null;
  },

  again({ client, calls }) {
    const socket = clients.get(client);
    for (const call of calls) socket[call]();
    return null;
  },

  state({ client }) {
    const socket = clients.get(client);
    const engine = socket.io.engine;
    return { connected: socket.connected, recovered: socket.recovered, offsets: socket.offsets ?? 0, id: socket.id ?? null, engine: engine?.id ?? null, transport: engine?.transport?.name ?? null };
  },

  close({ client }) {
    clients.get(client).disconnect();
    clients.delete(client);
    return null;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  Promise.resolve()
    .then(() => operations[request.op](request))
    .then((ok) => print({ id: request.id, ok }), (error) => print({ id: request.id, error: String(error) }));
}
process.exit(0);
