// Official socket.io clients for the fault suite, many in one process, driven over stdin by fleet.py.
//
// Every input line is a command {"op": ..., ...}; every output line is an entry of the journal (see journal.py) or
// {"kind": "done", "client": <this process>, "at_ms": ..., "id": <the command's number>}.
import { createInterface } from "node:readline";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { io } from "socket.io-client";

const [ME, APPLICATION] = process.argv.slice(2);
const ACK_TIMEOUT_MS = 4_000;
const SAID = /^\[[^\]]* in ([^\]]+)\] (\S+) (\d+) [\d.]+$/;
// The events of each application: how a client joins a room and sends a message there, and the event that it receives.
const { join: joinEvent, say: sayEvent, heard, read } = {
  chat: {
    join: (room, name) => ["joinRoom", { roomId: room, userName: name }],
    say: (room, id, seq, name) => ["chatMessage", { roomId: room, userName: name, message: `${id} ${seq} ${now()}`, messageId: id }],
    heard: "roomMessage",
    read: (text) => {
      const said = SAID.exec(text);
      return said && { room: said[1], id: said[2], seq: Number(said[3]) };
    },
  },
  board: {
    join: (room) => ["watch", { board: room }],
    say: (room, id, seq) => ["move", { board: room, card: id, place: seq }],
    heard: "moved",
    read: ({ board, card, place }) => ({ room: board, id: card, seq: place }),
  },
  // Its clients are in its one room as soon as they are connected.
  new: {
    say: (room, id, seq) => ["write", { text: `${room} ${id} ${seq}` }],
    heard: "written",
    read: ({ text }) => {
      const [room, id, seq] = text.split(" ");
      return { room, id, seq: Number(seq) };
    },
  },
}[APPLICATION];
const clients = new Map();
let publishing = 0; // the generation of publishers; those of an earlier one stop
let underway = 0;

const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000) / 1000;
const waiting = [];
const log = (kind, client, fields) => {
  if (!waiting.length) setImmediate(() => process.stdout.write(waiting.splice(0).join("")));
  waiting.push(JSON.stringify({ kind, client, at_ms: now(), ...fields }) + "\n");
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const chosen = (names) => (names ? names.map((name) => clients.get(name)) : [...clients.values()]);

function open({ name, url, rooms, options }) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 300, reconnectionDelayMax: 1500, ...options });
  const client = { name, socket, rooms, seq: 0 };
  clients.set(name, client);
  socket.on("connect", () => {
    const gateway = (socket.io.engine?.id ?? "").split(".")[0];
    log("connect", name, { id: socket.id, recovered: Boolean(socket.recovered), gateway });
    if (!socket.recovered) for (const room of client.rooms) join(client, room);
  });
  socket.on("disconnect", (reason) => log("disconnect", name, { detail: reason }));
  socket.on("connect_error", (error) => {
    log("refused", name, { detail: String(error.message) });
    // Refused by the server, a client stays away until its page tries again.
    if (!socket.active && options.reconnection !== false) setTimeout(() => socket.connect(), 1000);
  });
  socket.on(heard, (body, ...rest) => {
    const said = read(body);
    const offset = rest.length && typeof rest.at(-1) === "string" ? rest.at(-1) : "";
    if (said) log("got", name, { ...said, offset });
  });
}

async function join(client, room) {
  log("join", client.name, { room });
  if (!joinEvent) return log("joined", client.name, { room });
  const id = client.socket.id;
  while (client.socket.connected && client.socket.id === id) {
    try {
      const answer = await client.socket.timeout(ACK_TIMEOUT_MS).emitWithAck(...joinEvent(room, client.name));
      if (client.socket.id !== id) return;
      if (!answer?.error) return log("joined", client.name, { room });
      log("join_failed", client.name, { room, detail: String(answer.error.code) });
    } catch {
      log("join_failed", client.name, { room, detail: "no answer" });
    }
    await sleep(200);
  }
}

// Publishes at a steady rate. With `retry`, a message that was not acknowledged is sent again under the same id until it is.
async function publish(client, rooms, rate, retry, generation) {
  await sleep(Math.random() * (1000 / rate));
  for (let due = performance.now(); generation === publishing; due += 1000 / rate) {
    await sleep(Math.max(0, due - performance.now()));
    if (generation !== publishing) return;
    if (!client.socket.connected) { due = performance.now(); continue; }
    const seq = client.seq++;
    say(client, { room: rooms[seq % rooms.length], id: `${client.name}#${seq}`, seq }, retry);
  }
}

async function say(client, { room, id, seq }, retry) {
  underway++;
  const event = sayEvent(room, id, seq, client.name);
  log("invoked", client.name, { room, id, seq });
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      const answer = await client.socket.timeout(ACK_TIMEOUT_MS).emitWithAck(...event);
      if (!answer?.error) { log("acked", client.name, { room, id, seq }); break; }
      log("failed", client.name, { room, id, seq, detail: String(answer.error.code) });
      if (!answer.error.retryable) break;
    } catch (error) {
      log("unknown", client.name, { room, id, seq, detail: String(error.message) });
    }
    if (!retry || performance.now() > until) break;
    do await sleep(100 + Math.random() * 200); while (!client.socket.connected && performance.now() < until);
  }
  underway--;
}

const socketOf = (client) => client.socket.io.engine?.transport?.ws;

const operations = {
  async open({ clients: specs, pace_ms }) {
    for (const spec of specs) { open(spec); if (pace_ms) await sleep(pace_ms); }
  },
  publish({ names, rooms, rate, retry }) {
    const generation = publishing || (publishing = 1);
    for (const client of chosen(names)) publish(client, rooms ?? client.rooms, rate, retry, generation);
  },
  async quiet() {
    publishing++;
    for (const until = performance.now() + 65_000; underway && performance.now() < until; ) await sleep(50);
  },
  drop({ names }) { for (const client of chosen(names)) socketOf(client)?.terminate(); },
  // The client stops reading, and neither notices its end nor reconnects: only the server can end the connection.
  stall({ names }) {
    for (const client of chosen(names)) {
      const engine = client.socket.io.engine;
      client.socket.io.reconnection(false);
      clearTimeout(engine._pingTimeoutTimer);
      engine._resetPingTimeout = () => {};
      log("closed", client.name, {}); // it is no longer a witness
      socketOf(client)?.pause();
    }
  },
  // The clients read only for short moments, for about the given share of the time.
  trickle({ names, share }) {
    for (const client of chosen(names)) {
      socketOf(client)?.pause();
      client.trickle = setInterval(() => {
        socketOf(client)?.resume();
        setTimeout(() => socketOf(client)?.pause(), 1000 * share);
      }, 1000);
    }
  },
  unstall({ names }) { for (const client of chosen(names)) { clearInterval(client.trickle); socketOf(client)?.resume(); } },
  close({ names }) {
    for (const client of chosen(names)) {
      log("closed", client.name, {});
      client.socket.disconnect();
      clients.delete(client.name);
    }
  },
};

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
let used = process.cpuUsage(), since = performance.now();
setInterval(() => {
  const spent = process.cpuUsage(used), at = performance.now();
  log("meter", ME, { cpu: (spent.user + spent.system) / 1000 / (at - since), lag_ms: delay.max / 1e6 });
  used = process.cpuUsage(); since = at; delay.reset();
}, 1000);

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  Promise.resolve().then(() => operations[order.op](order)).then(
    () => log("done", ME, { id: String(order.id) }),
    (error) => log("done", ME, { id: String(order.id), detail: String(error) }),
  );
}
process.exit(0);
