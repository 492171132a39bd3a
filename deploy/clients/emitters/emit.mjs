// A backend on Node: emits by Redis what its standard input says, a line of JSON each, and answers each line once Redis has it.
//
// `node emit.mjs REDIS_URL`. A line is {"by": "pubsub" or "streams", "of": namespace, "to": rooms, "except": rooms, "volatile": true,
// "call": [method, ...arguments]}; an argument {"bytes": [numbers]} stands for a Buffer. By "streams" it speaks as a server with
// @socket.io/redis-streams-adapter, which appends what @socket.io/redis-streams-emitter appends; events for servers, which that adapter
// would publish, are appended in the emitter's form.
import readline from "node:readline";
import { Emitter } from "@socket.io/redis-emitter";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import Redis from "ioredis";
import { createClient } from "redis";
import { Server } from "socket.io";

const url = process.argv[2];
const publisher = new Redis(url);
const appender = await createClient({ url }).connect();
const byChannels = new Emitter(publisher);
const byStream = new Server({ adapter: createAdapter(appender) });

const value = (argument) => (Array.isArray(argument?.bytes) ? Buffer.from(argument.bytes) : argument);

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { by, of: namespace = "/", to = [], except = [], volatile: isVolatile, call } = JSON.parse(line);
  const [method, ...args] = call.map(value);
  if (by === "streams" && method === "serverSideEmit") {
    const data = JSON.stringify({ packet: args });
    await appender.xAdd("socket.io", "*", { uid: "emitter", nsp: namespace, type: "9", data });
  } else {
    let emitter = (by === "pubsub" ? byChannels : byStream).of(namespace);
    if (to.length) emitter = emitter.to(to);
    if (except.length) emitter = emitter.except(except);
    if (isVolatile) emitter = emitter.volatile;
    emitter[method](...args);
  }
  // Commands of one connection are executed in order.
  await (by === "pubsub" ? publisher : appender).ping();
  console.log("said");
}
process.exit(0);
