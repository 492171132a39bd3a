import { io } from "/client/socket.io.esm.min.js";

const input = document.getElementById("input");
const socket = io({ retries: 3, ackTimeout: 5_000 });

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("chat message", input.value, crypto.randomUUID());
  input.value = "";
});

socket.on("chat message", (text) => {
  const item = document.createElement("li");
  item.textContent = text;
  document.getElementById("messages").append(item);
});
