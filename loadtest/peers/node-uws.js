// socket.io attached to uWebSockets, which also replaces its adapter's broadcast by uWebSockets' own topics.
"use strict";
const { App } = require("@trufflesuite/uws-js-unofficial");
const { Server } = require("socket.io");

const app = App();
const io = new Server();
io.attachApp(app);
require("./tutorial.js")(io);
app.listen("127.0.0.1", Number(process.env.PORT), (token) => {
  if (!token) process.exit(1);
});
