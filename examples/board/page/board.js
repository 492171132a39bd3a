import { io } from "/client/socket.io.esm.min.js";

const NEXT = { "to do": "doing", doing: "done", done: "to do" };
const title = document.getElementById("title");
const shown = new Map();
const socket = io();

// What arrives late is older than what is shown.
function show(card) {
  const before = shown.get(card.id);
  if (before && before.version >= card.version) return;
  before?.item.remove();
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.textContent = card.title;
  button.addEventListener("click", () => socket.emit("move", card.id, NEXT[card.stage]));
  item.append(button);
  document.querySelector(`ul[aria-label="${card.stage}"]`).append(item);
  shown.set(card.id, { version: card.version, item });
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("add", title.value);
  title.value = "";
});

socket.on("card", show);
// A session that goes on has missed nothing.
socket.on("connect", () => {
  if (!socket.recovered) socket.emit("cards", (cards) => cards.forEach(show));
});
