// socket.io on Bun, with the engine made for it.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import tutorial from "./tutorial.js";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
tutorial(io);

export default { hostname: "127.0.0.1", port: Number(process.env.PORT), ...engine.handler() };
