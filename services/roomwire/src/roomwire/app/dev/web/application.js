// Owns: what the supervisor says of the application, and how it is shown: its state, its failure, its events.
// Must not: know clients. Other modules read the events from the application that was served last.

import { element, setText } from "./elements.js";

export class Application {
  #document;
  #onServed;

  /** `onServed` gets the description of the application whenever another one serves. */
  constructor(document, onServed = () => {}) {
    this.#document = document;
    this.#onServed = onServed;
  }

  /** Follows the supervisor; the browser connects again by itself where the connection breaks. */
  follow(target) {
    const scenes = new EventSource("/scenes");
    scenes.addEventListener("message", ({ data }) => this.#show(JSON.parse(data), target));
    scenes.addEventListener("error", () => this.#phase("failed", "roomwire dev does not answer"));
  }

  #show(scene, target) {
    this.#phase(scene.phase, scene.phase);
    const process = scene.pid ? `process ${scene.pid}, start ${scene.start}, ` : "";
    setText(this.#find("about"), `${process}at ${target.address}, ROOMWIRE_AUTH_MODE is ${target.auth_mode}`);
    this.#find("failure").hidden = scene.phase !== "failed";
    setText(this.#find("sentence"), scene.sentence);
    setText(this.#find("traceback"), scene.traceback);
    this.#find("traceback").hidden = !scene.traceback;
    if (scene.phase === "serving") this.#list(scene.application);
  }

  #phase(state, text) {
    const phase = this.#find("phase");
    phase.dataset.state = state;
    setText(phase, text);
  }

  #list(application) {
    const rows = application.namespaces.flatMap(({ name, events }) => events.map((event) => row(name, event)));
    this.#find("event-rows").replaceChildren(...rows);
    this.#find("events").hidden = rows.length === 0;
    const none = this.#find("no-events");
    none.hidden = rows.length > 0;
    setText(none, "The application subscribes to no events.");
    this.#onServed(application);
  }

  #find(id) {
    return this.#document.getElementById(id);
  }
}

function row(namespace, event) {
  const takes = event.arguments === null
    ? "not declared"
    : event.arguments.map(({ name, type, is_required }) => `${name}${is_required ? "" : "?"}: ${type}`).join(", ") || "none";
  const name = element("th", "", event.name);
  name.scope = "row";
  return element("tr", "", element("td", "", namespace), name, element("td", "code", takes), element("td", "code", event.answer));
}
