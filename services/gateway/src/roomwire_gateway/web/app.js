// Owns: the wiring: the screen that is shown, the room that is open, and what is remembered across a reload.
// Must not: touch the DOM (`view.js`), the wire (`chat.js`), HTTP (`api.js`) or a room's contents (`room.js`).

import { Account } from "./api.js";
import { Chat } from "./chat.js";
import { io } from "./socket.io.esm.min.js";
import { View } from "./view.js";

const ROOMS_KEY = "roomwire.rooms.registry";
const DIRECTORY_INTERVAL_MS = 10_000;
/** Changes are drawn together, by a timer instead of an animation frame, so that a hidden tab's title keeps counting. */
const FRAME_MS = 16;

class App {
  #account = new Account(sessionStorage, localStorage);
  #chat = null;
  #openName = null;
  #frame = null;
  #view = new View(document, {
    continueAsGuest: (name) => this.#enter(() => this.#account.continueAsGuest(name)),
    signIn: (name, password) => this.#enter(() => this.#account.signIn(name, password)),
    register: (name, password) => this.#enter(() => this.#account.register(name, password)),
    signOut: () => this.#signOut(),
    signOutEverywhere: () => this.#signOutEverywhere(),
    join: (name) => this.#join(name),
    leave: () => this.#leave(),
    draft: (text) => this.#draft(text),
    send: () => this.#send(),
  });

  async start() {
    await this.#account.load();
    for (const event of ["online", "offline"]) addEventListener(event, () => this.#draw());
    addEventListener("visibilitychange", () => this.#refresh());
    setInterval(() => this.#refresh(), DIRECTORY_INTERVAL_MS);
    if (this.#account.user) this.#startChat();
    else this.#view.showDoor();
  }

  get #openRoom() {
    return this.#chat?.rooms.get(this.#openName) ?? null;
  }

  async #enter(authenticate) {
    this.#view.doorError("");
    this.#view.setDoorBusy(true);
    try {
      await authenticate();
      this.#startChat();
    } catch (refusal) {
      this.#view.doorError(refusal.message);
    } finally {
      this.#view.setDoorBusy(false);
    }
  }

  #startChat() {
    const { names = [], open = null } = JSON.parse(sessionStorage.getItem(ROOMS_KEY) ?? "{}");
    this.#openName = open;
    this.#chat?.close();
    this.#chat = new Chat(io, this.#account, {
      changed: () => this.#changed(),
      heard: (room, entry) => this.#heard(room, entry),
      notice: (sentence, retry) => this.#view.notice(sentence, retry),
      signedOut: (sentence) => this.#toDoor(sentence),
    }, names);
    this.#view.showChat();
    this.#draw();
    this.#view.focusInput();
  }

  #signOut() {
    this.#chat.close();
    this.#account.signOut();
    sessionStorage.removeItem(ROOMS_KEY);
    this.#toDoor();
  }

  async #signOutEverywhere() {
    if (await this.#attempt(this.#account.endAllSessions())) this.#signOut();
  }

  #toDoor(sentence) {
    this.#account.signOut();
    this.#chat = null;
    this.#view.showDoor(sentence);
    this.#view.focusDoor();
  }

  async #join(name) {
    const openBefore = this.#openName;
    const joining = this.#chat.join(name);
    this.#open(name);
    if (await this.#attempt(joining)) return this.#view.roomNameDone();
    if (this.#chat && this.#openName === name) this.#open(openBefore);
  }

  #open(name) {
    this.#openName = name;
    const room = this.#openRoom;
    if (room?.isSynced) this.#chat.refreshMembers(room).catch(() => {}); // what the events told us stays
    this.#remember();
    this.#draw();
    this.#view.focusInput();
  }

  async #leave() {
    const room = this.#openRoom;
    if (await this.#attempt(this.#chat.leave(room))) this.#open(this.#openName);
  }

  #draft(text) {
    const room = this.#openRoom;
    room.draft = text;
    if (text.trim()) this.#chat.typing(room);
  }

  async #send() {
    const room = this.#openRoom;
    const text = room.draft.trim();
    if (!text) return;
    room.draft = "";
    this.#view.clearNotice();
    const sending = this.#chat.send(room, text);
    this.#draw();
    await this.#attempt(sending);
  }

  /** Waits for something that the user asked for; shows a refusal. True if it was done and still matters. */
  async #attempt(promise) {
    const chat = this.#chat;
    try {
      await promise;
      return chat === this.#chat;
    } catch (refusal) {
      if (chat === this.#chat) this.#view.notice(refusal.message);
      return false;
    }
  }

  #heard(room, { kind, sender }) {
    if (kind === "message" && sender?.id !== this.#account.user.id) room.unread += 1;
  }

  #refresh() {
    if (document.hidden || !this.#chat) return;
    this.#chat.refreshDirectory();
    this.#draw();
  }

  #remember() {
    const names = [...this.#chat.rooms.keys()];
    sessionStorage.setItem(ROOMS_KEY, JSON.stringify({ names, open: this.#openName }));
  }

  #changed() {
    this.#frame ??= setTimeout(() => this.#draw(), FRAME_MS);
  }

  #draw() {
    clearTimeout(this.#frame);
    this.#frame = null;
    if (!this.#chat) return;
    if (this.#openRoom && !document.hidden) this.#openRoom.unread = 0;
    this.#view.render({ chat: this.#chat, user: this.#account.user, open: this.#openRoom, nowMs: Date.now() });
  }
}

new App().start();
