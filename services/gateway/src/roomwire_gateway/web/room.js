// Owns: what this page knows about one joined room: its log, members, unread count, draft and outbox.
// Must not: do I/O, read a clock or touch the DOM. Time is passed in; `chat.js` feeds it, `view.js` shows it.

const MAX_ENTRIES = 500;
const MAX_MEMBERS = 100;
const TYPING_TTL_MS = 4_000;

export class Room {
  name;
  /** Oldest first: `{id, user, text, at, kind, sender?}`, kind "message" | "joined" | "left" | "everyone" | "note". */
  entries = [];
  /** By socket id: `{id, user, gateway, sender?}`. Limited in number; `count` includes all members. */
  members = new Map();
  count = 0;
  unread = 0;
  /** The content of the message box while another room is open. */
  draft = "";
  /** Sent and not yet acknowledged, oldest first: `{id, text}`. */
  outbox = [];
  /** A send that failed. The same text is sent again under the same id, so that it cannot appear twice. */
  failed = null;
  /** True while the gateway has this client as a member and the log has no gap. */
  isSynced = false;

  #known = new Set();
  #knownBeforeLoss = new Set();
  #typing = new Map();
  #notes = 0;

  constructor(name) {
    this.name = name;
  }

  /** Appends an entry unless it is present already; returns whether it was new. */
  add(entry) {
    if (this.#known.has(entry.id)) return false;
    this.#typing.delete(entry.user);
    this.#replace([...this.entries, entry]);
    return true;
  }

  note(text) {
    this.add(this.#note(text));
  }

  /** From here until `heal()`, messages may have been missed. */
  loseTrack() {
    if (this.isSynced) this.#knownBeforeLoss = new Set(this.#known);
    this.isSynced = false;
  }

  /**
   * Merges the newest `limit` messages of the room, oldest first, into the log; returns how many of them were missed.
   *
   * Messages received since the loss stay behind those that were missed. If the history does not reach back to the last
   * message seen before, there is a gap, and the log says so.
   */
  heal(history, limit) {
    const before = this.#knownBeforeLoss;
    const lastSeen = history.findLastIndex((entry) => before.has(entry.id));
    const missed = history.slice(lastSeen + 1).filter((entry) => entry.kind === "message" && !this.#known.has(entry.id));
    const isHole = lastSeen < 0 && history.length >= limit;
    const mark = before.size > 0 && (isHole || missed.length > 0) && this.#note(isHole ? HOLE : reconnected(missed.length));

    const fetched = new Set(history.map((entry) => entry.id));
    const place = new Map(this.entries.map((entry, index) => [entry.id, index]));
    const endOfBefore = this.entries.findLastIndex((entry) => before.has(entry.id)) + 1;
    const merged = [];
    let next = 0;
    const copyUpTo = (end) => {
      for (; next < end; next++) if (!fetched.has(this.entries[next].id)) merged.push(this.entries[next]);
    };
    history.forEach((entry, index) => {
      if (index > lastSeen) copyUpTo(endOfBefore);
      if (index === lastSeen + 1 && mark) merged.push(mark);
      if (place.has(entry.id)) copyUpTo(place.get(entry.id) + 1);
      merged.push(entry);
    });
    copyUpTo(this.entries.length);

    this.#replace(merged);
    this.#knownBeforeLoss = new Set();
    return before.size > 0 ? missed.length : 0;
  }

  setMembers({ count, members }) {
    this.members = new Map(members.map((member) => [member.id, member]));
    this.count = count;
  }

  memberJoined(member) {
    if (!this.members.has(member.id)) this.count += 1;
    if (this.members.has(member.id) || this.members.size < MAX_MEMBERS) this.members.set(member.id, member);
  }

  memberLeft(id) {
    const isBeyondList = !this.members.has(id) && this.count > this.members.size;
    if (this.members.delete(id) || isBeyondList) this.count -= 1;
  }

  /** Notes that `user` is typing; returns for how many milliseconds the note is valid. */
  heardTyping(user, nowMs) {
    this.#typing.set(user, nowMs + TYPING_TTL_MS);
    return TYPING_TTL_MS;
  }

  typists(nowMs) {
    return [...this.#typing].filter(([, until]) => until > nowMs).map(([user]) => user);
  }

  /** Puts all unacknowledged texts in front of the draft, so that nothing that was typed is lost. */
  returnOutbox() {
    this.failed = this.outbox[0] ?? null;
    this.draft = [...this.outbox.map(({ text }) => text), this.draft].filter(Boolean).join("\n");
    this.outbox = [];
  }

  #replace(entries) {
    this.entries = entries.slice(-MAX_ENTRIES);
    this.#known = new Set(this.entries.map((entry) => entry.id));
  }

  #note(text) {
    this.#notes += 1;
    return { id: `note-${this.#notes}`, user: "", text, at: null, kind: "note" };
  }
}

const HOLE = "Reconnected. More may have been said meanwhile than the history still shows.";

function reconnected(missed) {
  return `Reconnected. ${missed} ${missed === 1 ? "message" : "messages"} came meanwhile.`;
}
