// A node of several: socket.io on Node's HTTP server and the package `ws`, behind one of its adapters for Redis.
"use strict";
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { createAdapter: createStreamsAdapter } = require("@socket.io/redis-streams-adapter");
const { createClient } = require("redis");

const ADAPTERS = {
  redis: (client, subscriber) => ({ adapter: createAdapter(client, subscriber) }),
  sharded: (client, subscriber) => ({ adapter: createShardedAdapter(client, subscriber) }),
  // With recovery, which is what one takes it for; the others do not have it.
  streams: (client) => ({ adapter: createStreamsAdapter(client), connectionStateRecovery: {} }),
};

async function main() {
  const client = createClient({ url: process.env.REDIS_URL });
  const subscriber = client.duplicate();
  await Promise.all([client.connect(), subscriber.connect()]);
  const server = createServer();
  require("./tutorial.js")(new Server(server, ADAPTERS[process.env.ADAPTER](client, subscriber)));
  server.listen(Number(process.env.PORT), "127.0.0.1");
}

main();
