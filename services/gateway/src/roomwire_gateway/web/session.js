// Owns: the tokens of a sign-in, where all tabs that share it find them, and whose turn it is to exchange them.
// Must not: call HTTP, touch the DOM, or know what the tokens are.
//
// A duplicated tab begins with a copy of the first one's sessionStorage. Refresh tokens rotate, and one that is used again
// ends the session: so sessionStorage holds no tokens, but the key to them. They stand in localStorage, once for all tabs of
// the session, sealed with that key: what stays behind when the last tab is closed can be read by nothing. A copy of the
// key in another browser opens nothing, and disturbs nothing.

const PREFIX = "roomwire.session.";
/** As long as an account's session lasts at most where nobody uses it. */
const KEEP_MS = 30 * 24 * 3600_000;
const IV_BYTES = 12;

/** One sign-in, as all of its tabs see it. */
export class Session {
  #storage;

  /** `key` is `{id, secret}`: keep it where this tab alone finds it. */
  constructor(storage, key) {
    this.#storage = storage;
    this.key = key;
  }

  /** A session of its own; sessions that nobody has used for long are forgotten. */
  static begin(storage) {
    for (const name of Object.keys(storage).filter((one) => one.startsWith(PREFIX))) {
      if (!(JSON.parse(storage.getItem(name)).at > Date.now() - KEEP_MS)) storage.removeItem(name);
    }
    return new Session(storage, { id: randomHex(8), secret: randomHex(16) });
  }

  /** What was written last, by whichever tab; null if the session has ended, or is not this browser's. */
  async read() {
    const kept = this.#storage.getItem(this.#name);
    return kept && this.#open(JSON.parse(kept).sealed).then(JSON.parse, () => null);
  }

  async write(tokens) {
    const sealed = await this.#seal(JSON.stringify(tokens));
    this.#storage.setItem(this.#name, JSON.stringify({ at: Date.now(), sealed }));
  }

  /** Ends it for all tabs. */
  end() {
    this.#storage.removeItem(this.#name);
  }

  /** Does something while no other tab does. A tab that is frozen meanwhile is waited for: what it does is half done.
   *  Without a secure context browsers have no locks; then the grace of the auth service has to do. */
  alone(action) {
    return navigator.locks ? navigator.locks.request(this.#name, action) : action();
  }

  get #name() {
    return PREFIX + this.key.id;
  }

  async #seal(text) {
    if (!crypto.subtle) return text;
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await this.#secret(), new TextEncoder().encode(text));
    return hex(iv) + hex(new Uint8Array(sealed));
  }

  async #open(sealed) {
    if (!crypto.subtle) return sealed;
    const bytes = unhex(sealed);
    const iv = bytes.subarray(0, IV_BYTES);
    const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await this.#secret(), bytes.subarray(IV_BYTES));
    return new TextDecoder().decode(text);
  }

  #secret() {
    return crypto.subtle.importKey("raw", unhex(this.key.secret), "AES-GCM", false, ["encrypt", "decrypt"]);
  }
}

/** Random without `crypto.randomUUID`, which plain-http pages on other hosts than localhost do not have. */
export function randomHex(bytes) {
  return hex(crypto.getRandomValues(new Uint8Array(bytes)));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text) {
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}
