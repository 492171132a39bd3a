// Owns: the DOM. Shows what it is given and calls `actions` for what the user did.
// Must not: know sockets or HTTP, or put user input anywhere but in text nodes: no innerHTML, no style attributes.

const TONES = 6;
/** A message that follows another of the same author within this time is shown below it, without a name of its own. */
const SAME_BREATH_MS = 5 * 60_000;
const NEAR_END_PX = 48;

export class View {
  #page;
  #actions;
  #shownRoom = null;
  #isAtEnd = true;
  #gatewayTones = new Map();

  constructor(page, actions) {
    this.#page = Object.fromEntries(Array.from(page.querySelectorAll("[id]"), (node) => [node.id, node]));
    this.#actions = actions;
    this.#listenAtTheDoor();
    this.#listenInTheChat();
  }

  showDoor(sentence = "") {
    this.#page.door.hidden = false;
    this.#page.chat.hidden = true;
    this.#page.password.value = "";
    this.doorError(sentence);
    document.title = "Roomwire";
  }

  showChat() {
    this.#page.door.hidden = true;
    this.#page.chat.hidden = false;
    this.#page.password.value = "";
    this.doorError("");
    this.clearNotice();
  }

  doorError(sentence) {
    this.#page["door-error"].textContent = sentence;
    this.#page["door-error"].hidden = !sentence;
  }

  setDoorBusy(isBusy) {
    this.#page.door.ariaBusy = String(isBusy);
  }

  /** Shows a sentence until it is dismissed or replaced; `retry` gives it a button. */
  notice(sentence, retry) {
    const page = this.#page;
    page["notice-text"].textContent = sentence;
    page["notice-retry"].hidden = !retry;
    page["notice-retry"].onclick = () => { this.clearNotice(); retry(); };
    page.notice.hidden = false;
  }

  clearNotice() {
    this.#page.notice.hidden = true;
    this.#page["notice-text"].textContent = "";
  }

  roomNameDone() {
    this.#page["room-name"].value = "";
  }

  focusDoor() {
    this.#page["display-name"].focus();
  }

  /** Focuses the next input, except on touch devices, where the keyboard would cover what the user wants to read. */
  focusInput() {
    if (matchMedia("(pointer: coarse)").matches) return;
    (this.#shownRoom ? this.#page.message : this.#page["room-name"]).focus();
  }

  /** Draws everything. `open` is the open Room or null. */
  render({ chat, user, open, nowMs }) {
    this.#renderBar(chat, user);
    this.#renderRooms(roomList(chat), open);
    this.#renderRoom(chat, user, open, nowMs);
    const unread = sum(chat.rooms.values(), (room) => room.unread);
    document.title = [unread ? `(${unread})` : "", open ? `${open.name} ·` : "", "Roomwire"].filter(Boolean).join(" ");
  }

  #listenAtTheDoor() {
    const page = this.#page;
    page["guest-form"].onsubmit = (event) => {
      event.preventDefault();
      this.#actions.continueAsGuest(page["display-name"].value.trim());
    };
    page["account-form"].onsubmit = (event) => {
      event.preventDefault();
      const enter = event.submitter?.value === "register" ? this.#actions.register : this.#actions.signIn;
      enter(page["user-name"].value, page.password.value);
    };
  }

  #listenInTheChat() {
    const page = this.#page;
    const actions = this.#actions;
    page["sign-out"].onclick = () => actions.signOut();
    page["sign-out-everywhere"].onclick = () => actions.signOutEverywhere();
    page["join-form"].onsubmit = (event) => {
      event.preventDefault();
      const name = page["room-name"].value.trim();
      if (name) actions.join(name);
    };
    page.leave.onclick = () => actions.leave();
    page["notice-close"].onclick = () => this.clearNotice();
    page["send-form"].onsubmit = (event) => {
      event.preventDefault();
      actions.send();
      page.message.focus();
    };
    page.message.oninput = () => actions.draft(page.message.value);
    page.message.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      page["send-form"].requestSubmit();
    };
    page.log.onscroll = () => {
      this.#isAtEnd = page.log.scrollHeight - page.log.scrollTop - page.log.clientHeight < NEAR_END_PX;
      if (this.#isAtEnd) page.latest.hidden = true;
    };
    page.latest.onclick = () => { this.#scrollToEnd(); this.focusInput(); };
    new ResizeObserver(() => { if (this.#isAtEnd) this.#scrollToEnd(); }).observe(page.log);
  }

  #renderBar(chat, user) {
    const page = this.#page;
    setText(page.state, chat.state);
    page.state.dataset.state = chat.state;
    setText(page.gateway, chat.gateway || "–");
    page.gateway.title = chat.gateway;
    page.gateway.dataset.tone = chat.gateway ? this.#gatewayTone(chat.gateway) : "";
    setText(page.transport, chat.transport || "–");
    setText(page.me, user.name);
    page.me.title = user.kind === "guest" ? `${user.name} (guest)` : user.name;
    page["sign-out-everywhere"].hidden = user.kind !== "account";
    setText(page.welcome, chat.welcome);
  }

  #renderRooms(rooms, open) {
    const page = this.#page;
    page["no-rooms"].hidden = rooms.length > 0;
    sync(page.rooms, rooms, ({ name }) => name, ({ name }) => {
      const [unread, count] = [element("span", "unread"), element("span", "count")];
      unread.ariaHidden = count.ariaHidden = "true"; // said in words by .sr
      const button = element("button", "room-link", element("span", "wire-end"), element("bdi", "name", name),
        element("span", "sr"), unread, count);
      button.onclick = () => this.#actions.join(name);
      return element("li", "", button);
    }, (item, { name, members, unread, isJoined }) => {
      const button = item.firstElementChild;
      button.dataset.inside = isJoined;
      if (open?.name === name) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      setText(button.querySelector(".unread"), unread ? String(unread) : "");
      setText(button.querySelector(".count"), String(members));
      const facts = [isJoined && "you are in", unread && `${unread} unread`, plural(members, "member")];
      setText(button.querySelector(".sr"), `(${facts.filter(Boolean).join(", ")})`);
    });
  }

  #renderRoom(chat, user, room, nowMs) {
    const page = this.#page;
    const isOther = this.#shownRoom !== room;
    this.#shownRoom = room;
    page.room.hidden = page.people.hidden = !room;
    page.lobby.hidden = Boolean(room);
    if (!room) return;

    setText(page["room-title"], room.name);
    setText(page["room-count"], room.isSynced ? plural(room.count, "member") : "joining…");
    if (page.message.value !== room.draft) page.message.value = room.draft;
    setText(page.typing, typingHint(room.typists(nowMs)));
    this.#renderOutbox(room);
    this.#renderLog(room, user, isOther);
    this.#renderMembers(room, chat);
  }

  #renderLog(room, user, isOther) {
    const page = this.#page;
    // A screen reader announces new messages, not the whole log of a room that was just opened.
    if (isOther) {
      page.entries.replaceChildren();
      page.latest.hidden = true;
    }
    page.log.ariaBusy = String(isOther || !room.isSynced);
    if (isOther) setTimeout(() => { page.log.ariaBusy = "false"; });

    const newest = page.entries.lastElementChild?.dataset.key;
    sync(page.entries, withLeads(room.entries), ({ entry }) => entry.id, ({ entry }) => buildEntry(entry, user),
      (item, { isLead }) => { item.dataset.lead = isLead; });
    if (isOther || this.#isAtEnd) this.#scrollToEnd();
    else if (newest !== page.entries.lastElementChild?.dataset.key) page.latest.hidden = false;
  }

  #renderOutbox(room) {
    sync(this.#page.outbox, room.outbox, ({ id }) => id, ({ text }) => {
      const item = element("li", "", text);
      item.dir = "auto";
      return item;
    }, () => {});
  }

  #renderMembers(room, chat) {
    const page = this.#page;
    const rank = (member) => (member.id === chat.id ? 0 : 1);
    const members = [...room.members.values()].sort((a, b) => rank(a) - rank(b) || a.user.localeCompare(b.user));
    sync(page.members, members, ({ id }) => id, ({ user }) => element("li", "member", element("span", "wire-end"),
      element("bdi", "name", user), element("span", "you"), element("span", "sender"), element("span", "gateway")), (item, { id, gateway, sender }) => {
      item.querySelector(".wire-end").dataset.tone = this.#gatewayTone(gateway);
      setText(item.querySelector(".you"), id === chat.id ? "you" : "");
      setText(item.querySelector(".sender"), senderTag(sender));
      setText(item.querySelector(".gateway"), gateway);
      item.title = `${item.querySelector(".name").textContent} on ${gateway}`;
    });
    const hidden = room.count - members.length;
    page["more-members"].hidden = hidden <= 0;
    setText(page["more-members"], `and ${hidden} more`);
  }

  #scrollToEnd() {
    this.#page.log.scrollTop = this.#page.log.scrollHeight;
    this.#isAtEnd = true;
    this.#page.latest.hidden = true;
  }

  /** Gateways get colours in order of appearance; the client's own gateway is on the bar and so comes first. */
  #gatewayTone(gateway) {
    if (!this.#gatewayTones.has(gateway)) this.#gatewayTones.set(gateway, this.#gatewayTones.size % TONES);
    return this.#gatewayTones.get(gateway);
  }
}

/** Lists joined rooms first, in order of joining, then the others by name, so that nothing jumps when counts change. */
function roomList(chat) {
  const joined = Array.from(chat.rooms.values(), ({ name, count, unread }) => ({ name, members: count, unread, isJoined: true }));
  const others = chat.directory
    .filter(({ room }) => !chat.rooms.has(room))
    .map(({ room, members }) => ({ name: room, members, unread: 0, isJoined: false }))
    .sort((a, b) => a.name.localeCompare(b.name));
  return [...joined, ...others];
}

function withLeads(entries) {
  return entries.map((entry, index) => {
    const last = entries[index - 1];
    const isSameBreath = last?.kind === entry.kind && last.user === entry.user && last.sender?.id === entry.sender?.id
      && new Date(entry.at) - new Date(last.at) < SAME_BREATH_MS;
    return { entry, isLead: !isSameBreath };
  });
}

function buildEntry(entry, me) {
  const item = element("li", "entry");
  item.dataset.kind = entry.kind;
  if (entry.kind === "joined" || entry.kind === "left") {
    item.append(element("p", "event", element("bdi", "", entry.user), " ", element("span", "sender", senderTag(entry.sender)),
      ` ${entry.kind}`));
  } else if (entry.kind === "note") {
    item.append(element("p", "event", entry.text));
  } else {
    const node = element("span", "node", initial(entry.user));
    node.ariaHidden = "true";
    node.dataset.tone = item.dataset.tone = toneOf(entry.user);
    item.dataset.mine = Boolean(entry.sender) && entry.sender.id === me.id;
    const head = element("p", "head", element("bdi", "author", entry.user || "Server"), " ",
      element("span", "sender", senderTag(entry.sender)), " ");
    if (entry.kind === "everyone") head.append(element("span", "tag", "to everyone"), " ");
    if (entry.at) head.append(time(entry.at));
    const text = element("p", "text", entry.text);
    text.dir = "auto";
    item.append(node, head, text);
  }
  return item;
}

/** Names the user that a token stated: anybody can give any name, and two users of one name differ here. */
function senderTag(sender) {
  return sender ? `${sender.kind} ${sender.id.split(":").pop().slice(0, 6)}` : "";
}

function time(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const clock = { hour: "2-digit", minute: "2-digit" };
  const node = element("time", "", date.toLocaleString([], isToday ? clock : { day: "numeric", month: "short", ...clock }));
  node.dateTime = at;
  node.title = date.toLocaleString();
  return node;
}

function typingHint(users) {
  if (users.length === 0) return "";
  if (users.length === 1) return `${users[0]} is typing…`;
  if (users.length === 2) return `${users[0]} and ${users[1]} are typing…`;
  return "Several people are typing…";
}

/** Makes `parent`'s children show `items` in order. Nodes are kept by key, so focus, selection and scrolling survive. */
function sync(parent, items, keyOf, build, update) {
  const kept = new Map(Array.from(parent.children, (node) => [node.dataset.key, node]));
  const keys = new Set(items.map(keyOf));
  for (const [key, node] of kept) if (!keys.has(key)) node.remove();
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = kept.get(key) ?? build(item);
    node.dataset.key = key;
    update(node, item);
    if (node === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(node, cursor);
  }
}

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Writing the same text again would make a live region announce it again. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function initial(name) {
  return [...(name || "•")][0].toUpperCase();
}

function toneOf(name) {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  return hash % TONES;
}

function sum(items, valueOf) {
  let total = 0;
  for (const item of items) total += valueOf(item);
  return total;
}
