// Owns: the tokens of a sign-in, the place where all its tabs find them, and the lock for exchanging them.
// Must not: call HTTP, touch the DOM, or know what the tokens are.
//
// A duplicated tab begins with a copy of the first one's sessionStorage. Refresh tokens rotate, and using one twice ends
// the session, so sessionStorage holds no tokens, only the key to them. The tokens are in localStorage, once for all tabs of
// the session, encrypted with that key: after the last tab is closed, nothing can read what remains. A copy of the
// key in another browser opens nothing and does no harm.

const PREFIX = "roomwire.session.";
/** Maximum lifetime of an account's session that is not used. */
const KEEP_MS = 30 * 24 * 3600_000;
const IV_BYTES = 12;

/** One sign-in, shared by all of its tabs. */
export class Session {
  #storage;

  /** `key` is `{id, secret}`: keep it where only this tab finds it. */
  constructor(storage, key) {
    this.#storage = storage;
    this.key = key;
  }

  /** Begins a new session; sessions that have not been used for long are forgotten. */
  static begin(storage) {
    for (const name of Object.keys(storage).filter((one) => one.startsWith(PREFIX))) {
      if (!(JSON.parse(storage.getItem(name)).at > Date.now() - KEEP_MS)) storage.removeItem(name);
    }
    return new Session(storage, { id: randomHex(8), secret: randomHex(16) });
  }

  /** Returns what any tab wrote last; null if the session has ended, or belongs to another browser. */
  async read() {
    const kept = this.#storage.getItem(this.#name);
    return kept && this.#open(JSON.parse(kept).sealed).then(JSON.parse, () => null);
  }

  async write(tokens) {
    const sealed = await this.#seal(JSON.stringify(tokens));
    this.#storage.setItem(this.#name, JSON.stringify({ at: Date.now(), sealed }));
  }

  /** Ends the session for all tabs. */
  end() {
    this.#storage.removeItem(this.#name);
  }

  /** Runs an action while no other tab runs one. A tab that is frozen meanwhile is waited for, because its action is half done.
   *  Without a secure context browsers have no locks; then the auth service's grace period has to suffice. */
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

/** Works without `crypto.randomUUID`, which pages served over plain HTTP from hosts other than localhost do not have. */
export function randomHex(bytes) {
  return hex(crypto.getRandomValues(new Uint8Array(bytes)));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text) {
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}
