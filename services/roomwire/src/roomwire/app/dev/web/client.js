// Owns: one client of the application, as its users would connect: its socket, and what happens to it in order of time.
// Must not: touch the DOM.

import { io } from "./socket.io.esm.min.js";

const ACK_TIMEOUT_MS = 10_000;

/** What a client connects with: `identity` is `guest`, `token` or `none`; `transports` as for the official client. */
export class Client {
  #address;
  #tokenOf;
  #onChange;
  #onEntry;
  #socket = null;
  #cutAt = null;

  /** `tokenOf(name)` gets a guest's token; `onChange(state)` and `onEntry(entry)` hear of everything. */
  constructor(address, { tokenOf, onChange, onEntry }) {
    this.#address = address;
    this.#tokenOf = tokenOf;
    this.#onChange = onChange;
    this.#onEntry = onEntry;
  }

  get state() {
    const socket = this.#socket;
    if (!socket) return { connection: "disconnected", sid: "", transport: "", isRecovered: false };
    return {
      connection: socket.connected ? "connected" : socket.active ? "connecting" : "disconnected",
      sid: socket.id ?? "",
      transport: socket.io.engine?.transport?.name ?? "",
      isRecovered: socket.recovered === true,
    };
  }

  async connect({ identity, name, token, transports, namespace }) {
    this.disconnect();
    let auth = {};
    try {
      if (identity === "guest") auth = { token: await this.#tokenOf(name) };
      if (identity === "token") auth = { token };
    } catch (error) {
      return this.#note("system", "no token", [error.message]);
    }
    // A manager of its own: two clients of one page would share a transport otherwise.
    const socket = this.#socket = io(this.#address + namespace, { auth, transports, forceNew: true });
    this.#follow(socket);
    this.#note("system", "connecting", [`${identity}, ${transports.join(" then ")}`]);
    this.#onChange(this.state);
  }

  disconnect() {
    this.#socket?.disconnect();
  }

  /** Closes the transport, as a network that fails would: the client reconnects and asks for what it missed. */
  cut() {
    this.#note("system", "cut", ["the transport is closed from here"]);
    this.#cutAt = performance.now();
    this.#socket.io.engine.close();
  }

  /** Sends an event; with an ack, its answer becomes an entry. */
  async send(event, args, wantsAck) {
    const socket = this.#socket;
    this.#note("out", event, args);
    if (!wantsAck) {
      socket.emit(event, ...args);
      return;
    }
    const startedAt = performance.now();
    const elapsed = () => Math.round(performance.now() - startedAt);
    // A callback and not `emitWithAck`, which keeps the first argument alone.
    socket.timeout(ACK_TIMEOUT_MS).emit(event, ...args, (error, ...answer) => {
      if (error) this.#note("system", `no ack of ${event}`, [error.message], elapsed());
      else this.#note("ack", event, answer, elapsed());
    });
  }

  #follow(socket) {
    const manager = socket.io;
    socket.on("connect", () => {
      const cut = this.#cutAt === null ? [] : [`${Math.round(performance.now() - this.#cutAt)} ms after the cut`];
      this.#cutAt = null;
      this.#note("system", socket.recovered ? "connected, recovered" : "connected, a new session", [socket.id, ...cut]);
      this.#changed();
    });
    manager.on("open", () => manager.engine.on("upgrade", ({ name }) => {
      this.#note("system", "transport", [name]);
      this.#changed();
    }));
    socket.on("connect_error", (error) => {
      this.#note("system", "refused", error.data === undefined ? [error.message] : [error.message, error.data]);
      this.#changed();
    });
    socket.on("disconnect", (reason) => {
      this.#note("system", "disconnected", [reason]);
      this.#changed();
    });
    manager.on("reconnect_attempt", (attempt) => this.#note("system", "reconnecting", [`attempt ${attempt}`]));
    socket.onAny((event, ...args) => this.#heard(event, args));
  }

  #heard(event, args) {
    const answer = typeof args.at(-1) === "function" ? args.at(-1) : null;
    this.#note("in", event, answer ? args.slice(0, -1) : args);
    if (answer) {
      answer();
      this.#note("out", `ack of ${event}`, []);
    }
  }

  #changed() {
    this.#onChange(this.state);
  }

  #note(direction, event, args, ackMs = null) {
    const namespace = this.#socket?.nsp ?? "";
    this.#onEntry({ at: new Date(), direction, namespace, event, args, ackMs });
  }
}
