// Two clients of a pattern's namespaces and a refused one, over one connection of the official client at the address of its argument. It
// prints a line of JSON for each thing that happens; a line of its input lets it connect again after it has lost the connection.
import readline from "node:readline";
import { Manager } from "socket.io-client";

const say = (...what) => console.log(JSON.stringify(what));
const manager = new Manager(process.argv[2], { transports: [process.argv[3]], reconnection: false });
const tenants = ["1", "2"].map((tenant) => manager.socket(`/tenant-${tenant}`));
const refused = manager.socket("/other-1");
let left = tenants.length;

refused.on("connect_error", (error) => say("refused", error.message));
for (const socket of tenants) {
  socket.on("said", (text, tenant) => say(socket.nsp, "heard", text, tenant));
  socket.on("connect", async () => {
    say(socket.nsp, "connected", socket.recovered);
    if (!socket.recovered) {
      say(socket.nsp, "acked", await socket.emitWithAck("say", "hello"));
      left -= 1;
      if (left === 0) manager.engine.close();
    }
  });
  socket.on("disconnect", () => say(socket.nsp, "lost"));
}
readline.createInterface({ input: process.stdin }).once("line", () => tenants.forEach((socket) => socket.connect()));
