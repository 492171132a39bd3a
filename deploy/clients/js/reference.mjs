// The reference server with the application of served.py. Usage: node reference.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((request, response) => response.writeHead(request.url === "/readyz" ? 200 : 404).end());
const io = new Server(http, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack("joined");
  });
  socket.on("say", (room, text, ack) => {
    io.to(room).emit("said", room, text);
    ack("said");
  });
  socket.on("echo", (value, ack) => ack(value));
  socket.on("reflect", (...values) => {
    if (typeof values.at(-1) === "function") values.pop()("reflected");
    socket.emit("reflected", ...values);
  });
  socket.on("ask", (value, ack) => socket.emit("question", value, (answer) => ack(answer)));
  socket.on("transport", (ack) => ack(socket.conn.transport.name));
});
http.listen(Number(process.argv[2]), "127.0.0.1");
