// Owns: how what happened to a client is listed, the oldest first.

import { element } from "./elements.js";

const WORDS = { in: "received", out: "sent", ack: "ack", system: "connection" };
const SIGNS = { in: "←", out: "→", ack: "↩", system: "·" };
/** The list forgets the oldest beyond so many: a page that stays open all day stays fast. */
const MOST = 1_000;

export class Timeline {
  #list;
  #scroller;

  constructor(list, scroller) {
    this.#list = list;
    this.#scroller = scroller;
  }

  add(entry) {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - 4;
    this.#list.append(item(entry));
    while (this.#list.childElementCount > MOST) this.#list.firstElementChild.remove();
    if (isAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  clear() {
    this.#list.replaceChildren();
  }
}

function item({ at, direction, namespace, event, args, ackMs }) {
  const sign = element("span", "sign", SIGNS[direction]);
  sign.ariaHidden = "true";
  const time = element("time", "", clock(at));
  time.dateTime = at.toISOString();
  const head = element("p", "head", time, " ", sign, " ", element("span", "direction", WORDS[direction]), " ");
  if (namespace) head.append(element("span", "namespace", namespace), " ");
  head.append(element("strong", "", event));
  if (ackMs !== null) head.append(" ", element("span", "ack-time", `after ${ackMs} ms`));
  const node = element("li", "entry", head);
  node.dataset.direction = direction;
  if (args.length > 0) node.append(element("p", "code args", args.map(shown).join(", ")));
  return node;
}

function clock(at) {
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return `${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function shown(value) {
  if (value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
  return JSON.stringify(value, (_, inner) => (inner instanceof ArrayBuffer ? `${inner.byteLength} bytes` : inner)) ?? "undefined";
}
