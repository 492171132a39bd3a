// socket.io as most people run it: Node's HTTP server and the package `ws`.
"use strict";
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const server = createServer();
require("./tutorial.js")(new Server(server));
server.listen(Number(process.env.PORT), "127.0.0.1");
