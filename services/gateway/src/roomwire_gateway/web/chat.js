// Owns: the Socket.IO connection of one signed-in user, and the rooms joined over it.
// Must not: touch the DOM, decide which room is open, or call HTTP (`Account` does). It tells its `listener` what happened:
//   changed()                 something that is shown may have changed
//   heard(room, entry)        a new message from the wire
//   notice(sentence, retry?)  something the user should read; `retry` does it again
//   signedOut(sentence)       the gateway no longer accepts the user

import { NoAnswer, Refusal } from "./errors.js";
import { Room } from "./room.js";
import { randomHex } from "./session.js";

const ACK_TIMEOUT_MS = 5_000;
/** How long a message waits for a lost connection before its text returns to the message box. */
const SEND_PATIENCE_MS = 10_000;
const SEND_RETRY_MS = 200;
const HISTORY_LIMIT = 50;
const TYPING_INTERVAL_MS = 2_000;
/** Minimum time between two renewals, however short-lived the tokens are. */
const RENEWAL_PAUSE_MS = 5_000;
const REJOIN_ATTEMPTS = 3;
const RETRY_MS = 2_000;
/** A connection that the server ended sooner than this is not reopened automatically. */
const SETTLED_MS = 5_000;

export class Chat {
  /** By name, in the order of joining. */
  rooms = new Map();
  /** The gateway's last list of all rooms: `[{room, members}]`. */
  directory = [];
  /** The socket's id, by which the member list knows this client; the last id while there is no connection. */
  id = "";
  welcome = "";
  /** The name of the gateway that serves this client; empty while there is no connection. */
  gateway = "";
  transport = "";

  #account;
  #listener;
  #socket;
  #link = 0;
  #connectedAtMs = 0;
  #hasTried = false;
  #isReturning = false;
  #hasRenewed = false;
  #wasExpired = false;
  #isClosed = false;
  #typedAtMs = 0;
  #renewal;

  /** `io` is socket.io-client's; `roomNames` are rejoined as soon as there is a connection. */
  constructor(io, account, listener, roomNames = []) {
    this.#account = account;
    this.#listener = listener;
    for (const name of roomNames) this.rooms.set(name, new Room(name));
    this.#socket = io({ auth: (send) => this.#authenticate(send), forceNew: true, autoConnect: false });
    this.#listen();
    this.#socket.connect();
  }

  /** "connected", "reconnecting" (automatically) or "offline" (no network, or given up). */
  get state() {
    if (this.#socket.connected) return "connected";
    const isTrying = this.#isReturning || (this.#socket.active && this.#hasTried);
    return isTrying && navigator.onLine ? "reconnecting" : "offline";
  }

  /** Joins a room, or does nothing if this client is in it. Without a connection, the next one enters it. Throws a Refusal. */
  async join(name) {
    if (this.rooms.has(name)) return;
    const room = new Room(name);
    this.rooms.set(name, room);
    if (!this.#socket.connected) return;
    try {
      await this.#enter(room);
    } catch (refusal) {
      this.rooms.delete(name);
      throw refusal;
    } finally {
      this.#listener.changed();
    }
    this.refreshDirectory();
  }

  /** Leaves a room. Throws a Refusal if this client may still be in it. */
  async leave(room) {
    try {
      await this.#request("leaveRoom", { roomId: room.name, userName: this.#account.user.name });
    } catch (refusal) {
      if (refusal.retryable) throw refusal;
    }
    this.rooms.delete(room.name);
    this.refreshDirectory();
  }

  /**
   * Sends a text to a room, after those already waiting there.
   *
   * The call waits for a lost connection, and the same message id makes the second attempt harmless. If it fails in the end,
   * the texts are back in `room.draft`, and the call that began the queue throws the Refusal.
   */
  async send(room, text) {
    const id = room.failed?.text === text ? room.failed.id : randomHex(12);
    room.failed = null;
    room.outbox.push({ id, text });
    this.#typedAtMs = 0;
    if (room.outbox.length > 1) return;
    while (room.outbox.length > 0) {
      try {
        await this.#deliver(room, room.outbox[0]);
        room.outbox.shift();
      } catch (refusal) {
        room.returnOutbox();
        throw refusal;
      } finally {
        this.#listener.changed();
      }
    }
  }

  /** Tells the room that this user is typing, at most once per interval. Volatile, because the hint is worthless later. */
  typing(room) {
    if (!room.isSynced || Date.now() - this.#typedAtMs < TYPING_INTERVAL_MS) return;
    this.#typedAtMs = Date.now();
    this.#socket.volatile.emit("typing", { roomId: room.name, userName: this.#account.user.name });
  }

  /** Asks for the room's members. Events keep them up to date; this call repairs what the events missed. */
  async refreshMembers(room) {
    room.setMembers(await this.#request("presence", { roomId: room.name }));
    this.#listener.changed();
  }

  /** Asks for the list of rooms. The list is a convenience: if the call fails, the old one stays. */
  async refreshDirectory() {
    try {
      this.directory = (await this.#request("rooms", {})).rooms;
      this.#listener.changed();
    } catch { /* asked again within seconds */ }
  }

  /** Ends the connection permanently. */
  close() {
    this.#isClosed = true;
    clearTimeout(this.#renewal);
    this.#socket.off();
    this.#socket.disconnect();
  }

  #listen() {
    const socket = this.#socket;
    socket.io.on("open", () => this.#opened(socket.io.engine));
    socket.on("connect", () => this.#connected());
    socket.on("disconnect", (reason) => this.#disconnected(reason));
    socket.on("connect_error", (error) => this.#refused(error));
    socket.on("welcome", (text) => { this.welcome = text; this.#listener.changed(); });
    socket.on("roomMessage", (text, detail) => this.#roomMessage(text, detail));
    socket.on("message", (text, detail) => this.#messageToEveryone(text, detail));
    socket.on("typing", ({ room, user, sender }) => this.#typingHeard(room, user, sender));
    socket.on("presence", (change) => this.#presenceChanged(change));
    socket.on("exception", ({ code, message }) => {
      this.#wasExpired = code === "unauthenticated";
      this.#listener.notice(message);
    });
  }

  /** The token may have to be renewed first; if the connection has been replaced by then, the new one's own call answers. */
  async #authenticate(send) {
    const { engine } = this.#socket.io;
    const token = await this.#account.freshToken();
    if (engine === this.#socket.io.engine) send({ token, structured: true });
  }

  #opened(engine) {
    // A Roomwire gateway prefixes the session id with its name: "<gateway>.<random>".
    this.gateway = engine.id.includes(".") ? engine.id.split(".", 1)[0] : "";
    this.transport = engine.transport.name;
    engine.on("upgrade", (transport) => {
      this.transport = transport.name;
      this.#listener.changed();
    });
    this.#listener.changed();
  }

  #connected() {
    this.#link += 1;
    this.#hasTried = true;
    this.#connectedAtMs = Date.now();
    this.id = this.#socket.id;
    this.#isReturning = this.#hasRenewed = this.#wasExpired = false;
    if (!this.#socket.recovered) for (const room of this.rooms.values()) room.loseTrack();
    // Recovered or not, a room whose entry was interrupted by the last disconnection still has to be entered.
    for (const room of this.rooms.values()) if (!room.isSynced) this.#return(room);
    this.refreshDirectory();
    this.#renewInTime();
    this.#listener.changed();
  }

  /** Renews the token of a long-lived connection before it expires, because the gateway ends the connection then. */
  #renewInTime() {
    clearTimeout(this.#renewal);
    if (!this.#account.isRenewable) return;
    this.#renewal = setTimeout(async () => {
      const link = this.#link;
      const token = await this.#account.freshToken();
      if (link !== this.#link) return;
      try {
        await this.#request("refreshToken", { token });
      } catch { /* the connection ends with its token, and we come back with a new one */ }
      if (link === this.#link && this.#socket.connected) this.#renewInTime();
    }, Math.max(this.#account.renewInMs, RENEWAL_PAUSE_MS));
  }

  #disconnected(reason) {
    clearTimeout(this.#renewal);
    this.gateway = this.transport = "";
    if (reason === "io server disconnect") this.#expelled();
    this.#listener.changed();
  }

  /** The server disconnected this client; socket.io-client does not reconnect by itself after that. */
  #expelled() {
    const isSettled = Date.now() - this.#connectedAtMs > SETTLED_MS;
    if (isSettled && (this.#wasExpired || this.#account.isExpiring)) this.#renewAndConnect("Your sign-in has expired.");
    else this.#giveUp("The server ended this connection.");
  }

  #refused(error) {
    this.#hasTried = true;
    this.#listener.changed();
    if (this.#socket.active) return; // not reached; the client tries again by itself
    const { code, message = error.message, retryable } = error.data ?? {};
    if (code === "unauthenticated") this.#renewAndConnect(message);
    else if (retryable) this.#later(() => this.#connectAgain());
    else this.#giveUp(message);
  }

  /** From here on only the user reconnects. */
  #giveUp(sentence) {
    this.#isReturning = false;
    this.#listener.notice(sentence, () => this.#connectAgain());
    this.#listener.changed();
  }

  async #renewAndConnect(sentence) {
    if (!this.#account.isRenewable || this.#hasRenewed) return this.#endSession(sentence);
    this.#hasRenewed = this.#isReturning = true;
    try {
      await this.#account.renew();
    } catch (refusal) {
      if (!refusal.retryable) return this.#endSession(refusal.message);
      this.#hasRenewed = false;
      return this.#later(() => this.#renewAndConnect(sentence));
    }
    this.#connectAgain();
  }

  #connectAgain() {
    if (!this.#isClosed) this.#socket.connect();
    this.#listener.changed();
  }

  #later(action) {
    this.#isReturning = true;
    setTimeout(() => { if (!this.#isClosed) action(); }, RETRY_MS);
  }

  #endSession(sentence) {
    if (this.#isClosed) return;
    this.close();
    this.#listener.signedOut(sentence);
  }

  /** Enters a room and closes the gap in its log. If the connection changes meanwhile, the next one enters it again. */
  async #enter(room) {
    const link = this.#link;
    const roomId = room.name;
    await this.#request("joinRoom", { roomId, userName: this.#account.user.name });
    const [history, presence] = await Promise.allSettled([
      this.#request("history", { roomId, limit: HISTORY_LIMIT }),
      this.#request("presence", { roomId }),
    ]);
    if (link !== this.#link || !this.#socket.connected) return;
    if (history.status === "fulfilled") room.unread += room.heal(history.value.messages, HISTORY_LIMIT);
    else room.note(`What was said before is not available: ${history.reason.message}`);
    if (presence.status === "fulfilled") room.setMembers(presence.value);
    room.isSynced = true;
    this.#listener.changed();
  }

  /** Enters a room again after a reconnect. The room and its draft stay, whatever happens. */
  async #return(room) {
    const link = this.#link;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#enter(room);
      } catch (refusal) {
        const isMoot = link !== this.#link || !this.#socket.connected || this.rooms.get(room.name) !== room;
        if (isMoot) return;
        if (!refusal.retryable || attempt === REJOIN_ATTEMPTS) {
          this.#listener.notice(`Could not enter ${room.name}: ${refusal.message}`, () => this.#return(room));
          return;
        }
        await sleep(attempt * RETRY_MS);
      }
    }
  }

  async #deliver(room, { id, text }) {
    const giveUpAtMs = Date.now() + SEND_PATIENCE_MS;
    for (;;) {
      try {
        if (!room.isSynced) throw notConnected();
        const payload = { roomId: room.name, message: text, userName: this.#account.user.name, messageId: id };
        return await this.#request("chatMessage", payload);
      } catch (refusal) {
        const isHopeless = !(refusal instanceof NoAnswer) || Date.now() > giveUpAtMs || this.#isClosed;
        if (isHopeless) throw refusal;
      }
      await sleep(SEND_RETRY_MS);
    }
  }

  /** Never uses the client's own buffer, which a new connection would flush before the rooms are entered again. */
  async #request(event, payload) {
    if (!this.#socket.connected) throw notConnected();
    let answer;
    try {
      answer = await this.#socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, payload);
    } catch {
      throw new NoAnswer("The server did not answer in time. Please try again.");
    }
    if (answer?.error) throw new Refusal(answer.error);
    return answer;
  }

  #roomMessage(text, detail) {
    if (!isStructured(detail)) return this.#messageToEveryone(text); // a backend said it, as a plain text
    const room = this.rooms.get(detail.room);
    if (!room) return; // left a moment ago
    if (room.add({ kind: "message", ...detail, text: detail.text ?? text })) this.#listener.heard(room, detail);
    this.#listener.changed();
  }

  #messageToEveryone(text, detail) {
    const said = isStructured(detail) ? detail : {};
    const entry = { id: `everyone-${randomHex(8)}`, user: "", text, at: null, ...said, kind: "everyone" };
    for (const room of this.rooms.values()) room.add(entry);
    if (this.rooms.size === 0) this.#listener.notice(text);
    this.#listener.changed();
  }

  #typingHeard(name, user, sender) {
    const room = this.rooms.get(name);
    if (!room || (sender && sender.id === this.#account.user?.id)) return;
    const ttlMs = room.heardTyping(user, Date.now());
    setTimeout(() => this.#listener.changed(), ttlMs);
    this.#listener.changed();
  }

  #presenceChanged({ room: name, joined, left }) {
    const room = this.rooms.get(name);
    if (joined) room?.memberJoined(joined);
    if (left) room?.memberLeft(left);
    this.#listener.changed();
  }
}

/** A backend that does not know the chat leaves the structured form out; the last argument may then be an offset, a string. */
function isStructured(detail) {
  return typeof detail === "object" && detail !== null;
}

function notConnected() {
  return new NoAnswer("Not connected right now. Please try again in a moment.");
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
