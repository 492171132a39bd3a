import { io } from "/client/socket.io.esm.min.js";

const REACH = 0.05;
const GONE_MS = 1_000;
const MOST_NEWS = 10;
const [form, name, arena, gateway, field, star, scores, news] = [
  "form", "name", "arena", "gateway", "field", "star", "scores", "news",
].map((id) => document.getElementById(id));
// An ingress needs no affinity for WebSocket alone.
const socket = io({ transports: ["websocket"] });
const players = new Map();
let hasJoined = false;
let isCollecting = false;
let round;
let wanted = 0;

function item(text) {
  const made = document.createElement("li");
  made.textContent = text;
  return made;
}

function tell(text) {
  news.prepend(item(text));
  if (news.childElementCount > MOST_NEWS) news.lastElementChild.remove();
}

function place(element, [x, y]) {
  element.style.left = `${100 * x}%`;
  element.style.top = `${100 * y}%`;
}

// A round may come twice: as the ack of `join`, and as an event.
function show(next) {
  if (round && round.number >= next.number) return;
  round = next;
  place(star, round.star);
  star.hidden = false;
  const sorted = Object.entries(round.scores).sort(([, one], [, other]) => other - one);
  scores.replaceChildren(...sorted.map(([player, score]) => item(`${player}: ${score}`)));
}

function join() {
  socket.emit("join", arena.value, name.value, (answer) => {
    if (answer.error) return tell(answer.error.message);
    hasJoined = true;
    show(answer);
  });
}

// The gateway decides: it knows where the player is, and whether the star is still there.
function collect([x, y]) {
  if (wanted !== round?.number || isCollecting) return;
  if (Math.hypot(x - round.star[0], y - round.star[1]) > REACH) return;
  isCollecting = true;
  socket.timeout(2_000).emit("collect", round.number, () => { isCollecting = false; });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  join();
});
star.addEventListener("click", () => { wanted = round.number; });
field.addEventListener("click", (event) => {
  const { left, top, width, height } = field.getBoundingClientRect();
  socket.emit("go", (event.clientX - left) / width, (event.clientY - top) / height);
});

socket.on("gateway", (served) => {
  gateway.value = socket.recovered ? `${served}, session recovered` : served;
});
socket.on("connect", () => {
  if (socket.recovered || !hasJoined) return;
  // A new session is in no arena, and rounds may be missing.
  round = undefined;
  join();
});
socket.on("joined", (player) => tell(`${player} is here.`));
socket.on("left", (player) => tell(`${player} has left.`));
socket.on("round", (next) => {
  tell(`${next.by} has collected star ${next.number - 1}.`);
  show(next);
});
// Each gateway sends the positions of its own players.
socket.on("positions", (positions) => {
  const now = performance.now();
  for (const { id, name: shown, at } of positions) {
    const player = players.get(id) ?? { element: document.createElement("div") };
    if (!players.has(id)) {
      player.element.className = "player";
      player.element.textContent = shown;
      field.append(player.element);
      players.set(id, player);
    }
    player.seen = now;
    place(player.element, at);
    if (id === socket.id) collect(at);
  }
  for (const [id, player] of players) {
    if (now - player.seen > GONE_MS) {
      player.element.remove();
      players.delete(id);
    }
  }
});
