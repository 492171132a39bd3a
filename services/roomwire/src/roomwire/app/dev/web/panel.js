// Owns: one client's part of the page: its forms, its state, its list. What it does is `client.js`'s.

import { Client } from "./client.js";
import { element, setText } from "./elements.js";
import { Timeline } from "./timeline.js";

const TRANSPORTS = { both: ["polling", "websocket"], websocket: ["websocket"], polling: ["polling"] };
const STATE_WORDS = { connected: "connected", connecting: "connecting", disconnected: "not connected" };

export class Panel {
  #root;
  #client;
  #timeline;
  #application = null;

  /** Makes a client's part from the template; `number` tells it from others, `onRemove` hears that it is to go. */
  constructor(template, number, target, { tokenOf, onRemove }) {
    this.#root = template.content.firstElementChild.cloneNode(true);
    this.#name(number);
    this.#timeline = new Timeline(this.#find("entries"), this.#find("log"));
    this.#client = new Client(target.address, {
      tokenOf,
      onChange: (state) => this.#show(state),
      onEntry: (entry) => this.#timeline.add(entry),
    });
    this.#offer(target, number);
    this.#listen(onRemove);
    this.#show(this.#client.state);
  }

  get root() {
    return this.#root;
  }

  /** Offers the namespaces and events of the application; what has been written stays. */
  know(application) {
    this.#application = application;
    const options = application.namespaces.map(({ name }) => option(name));
    this.#find("namespaces").replaceChildren(...options);
    this.#offerEvents();
  }

  focus() {
    this.#find("connect").focus();
  }

  /** Ids are the page's, so each panel has its own, and labels and lists follow. */
  #name(number) {
    for (const node of this.#root.querySelectorAll("[id]")) node.id = `${node.id}-${number}`;
    for (const attribute of ["for", "list", "aria-labelledby", "aria-describedby"]) {
      for (const node of this.#root.querySelectorAll(`[${attribute}]`)) {
        const ids = node.getAttribute(attribute).split(" ");
        node.setAttribute(attribute, ids.map((id) => `${id}-${number}`).join(" "));
      }
    }
    this.#root.setAttribute("aria-labelledby", `title-${number}`);
    setText(this.#find("title"), `Client ${number}`);
  }

  #offer(target, number) {
    const identity = this.#find("identity");
    if (!target.has_guests) identity.querySelector('[value="guest"]').remove();
    this.#find("name").value = `Guest ${number}`;
    this.#showIdentity();
  }

  #listen(onRemove) {
    this.#on("identity", "change", () => this.#showIdentity());
    this.#on("connection", "submit", (event) => {
      event.preventDefault();
      this.#connect();
    });
    this.#on("disconnect", "click", () => this.#client.disconnect());
    this.#on("cut", "click", () => this.#client.cut());
    this.#on("clear", "click", () => this.#timeline.clear());
    this.#on("remove", "click", () => {
      this.#client.disconnect();
      this.#root.remove();
      onRemove();
    });
    this.#on("namespace", "change", () => this.#offerEvents());
    this.#on("event", "change", () => this.#begin());
    this.#on("message", "submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  #connect() {
    this.#client.connect({
      identity: this.#find("identity").value,
      name: this.#find("name").value,
      token: this.#find("token").value.trim(),
      transports: TRANSPORTS[this.#find("transports").value],
      namespace: this.#namespace,
    });
  }

  #send() {
    const field = this.#find("arguments");
    let args;
    try {
      args = JSON.parse(field.value.trim() || "[]");
      if (!Array.isArray(args)) throw new TypeError("write a list, as [1, \"two\"]");
    } catch (error) {
      return this.#complain(`The arguments are not a JSON list: ${error.message}`);
    }
    this.#complain("");
    this.#client.send(this.#find("event").value, args, this.#find("ack").checked);
  }

  #complain(sentence) {
    const complaint = this.#find("complaint");
    complaint.hidden = !sentence;
    setText(complaint, sentence);
    this.#find("arguments").setAttribute("aria-invalid", String(Boolean(sentence)));
  }

  #showIdentity() {
    const identity = this.#find("identity").value;
    this.#find("name-field").hidden = identity !== "guest";
    this.#find("token-field").hidden = identity !== "token";
  }

  get #namespace() {
    const name = this.#find("namespace").value.trim();
    return name.startsWith("/") ? name : `/${name}`;
  }

  #known() {
    const namespaces = this.#application?.namespaces ?? [];
    const named = namespaces.find(({ name }) => name === this.#namespace);
    return (named ?? namespaces.find(({ name }) => serves(name, this.#namespace)))?.events ?? [];
  }

  #offerEvents() {
    this.#find("events").replaceChildren(...this.#known().map(({ name }) => option(name)));
  }

  /** Begins the arguments with the example of an event that is known. */
  #begin() {
    const known = this.#known().find(({ name }) => name === this.#find("event").value);
    if (known) this.#find("arguments").value = known.example;
    setText(this.#find("takes"), known?.arguments ? known.arguments.map(({ name, type }) => `${name}: ${type}`).join(", ") : "");
  }

  #show({ connection, sid, transport, isRecovered }) {
    const state = this.#find("state");
    state.dataset.state = connection;
    setText(state, STATE_WORDS[connection]);
    setText(this.#find("sid"), sid || "–");
    setText(this.#find("transport"), transport || "–");
    setText(this.#find("recovered"), connection === "connected" ? (isRecovered ? "yes" : "no") : "–");
    for (const name of ["cut", "send"]) this.#find(name).disabled = connection !== "connected";
    this.#find("disconnect").disabled = connection === "disconnected";
  }

  #on(part, event, listener) {
    this.#find(part).addEventListener(event, listener);
  }

  #find(part) {
    return this.#root.querySelector(`[data-part="${part}"]`);
  }
}

function option(value) {
  const node = element("option", "");
  node.value = value;
  return node;
}

/** Whether a namespace of the application is a template, such as /tenant-{tenant}, that serves a name. */
function serves(template, name) {
  const texts = template.split(/\{[^{}]*\}/);
  const escaped = texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return texts.length > 1 && new RegExp(`^${escaped.join("[^/]+?")}$`).test(name);
}
