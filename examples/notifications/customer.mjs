// A customer: places an order by HTTP, and prints what is reported of it. Usage: node customer.mjs URL.
import { io } from "socket.io-client";

const url = process.argv[2];
const order = await (await fetch(`${url}/orders`, { method: "POST" })).json();
const socket = io(url, { retries: 3, ackTimeout: 5_000 });

socket.on("paid", () => console.log("Your order has been paid."));
socket.on("shipped", () => {
  console.log("Your order is on its way.");
  socket.disconnect();
});
// A connection that goes on with its session is still in the order's room.
socket.on("connect", () => {
  if (!socket.recovered) socket.emit("watch", order, () => console.log(`watching ${order}`));
});
