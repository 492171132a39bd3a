// Node's server with the official admin, for the differential test: prints its port, and ends with its standard input.
import { createServer } from "node:http";
import { instrument } from "@socket.io/admin-ui";
import bcrypt from "bcryptjs";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http);
const password = bcrypt.hashSync("correct horse", 4);
instrument(io, { auth: { type: "basic", username: "ops", password }, mode: process.argv[2], serverId: "one" });
io.on("connection", (socket) => socket.join("den"));
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.resume().on("end", () => process.exit());
