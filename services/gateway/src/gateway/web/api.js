// Owns: the HTTP calls to the auth service, and the tokens in this tab's sessionStorage.
// Must not: touch the DOM or the socket, or let a token out except to `freshToken()`'s caller.

import { NoAnswer, Refusal } from "./errors.js";

const STORAGE_KEY = "roomwire.account";
const REQUEST_TIMEOUT_MS = 5_000;
/** A token with less life than this is renewed before it is used for a connect. */
const RENEW_BEFORE_MS = 30_000;
/** What a proxy answers, or nobody does, where no auth service runs. */
const ABSENT = new Set([404, 502, 503]);

/** Who is signed in in this tab. Survives a reload, ends with the tab. */
export class Account {
  #storage;
  #stored;
  #renewal;

  constructor(storage) {
    this.#storage = storage;
    this.#stored = JSON.parse(storage.getItem(STORAGE_KEY) ?? "null");
  }

  /** `{id, name, kind}`, or undefined when signed out. */
  get user() {
    return this.#stored?.user;
  }

  /** True if a refused token can be exchanged for another. */
  get isRenewable() {
    return Boolean(this.#stored?.refreshToken);
  }

  /** True if the token is expired or about to be. */
  get isExpiring() {
    return this.isRenewable && this.renewInMs < 0;
  }

  /** In how long the token is about to expire; negative if it is, or if there is none. */
  get renewInMs() {
    return (this.#stored?.expiresAt ?? 0) - RENEW_BEFORE_MS - Date.now();
  }

  /** Guests need no auth service: where there is none, they connect without a token. */
  async continueAsGuest(name) {
    try {
      this.#adopt(await post("/auth/guest", name ? { name } : {}));
    } catch (error) {
      if (!error.isServiceAbsent) throw error;
      this.#store({ user: { id: "", name: name || `guest-${randomHex(2)}`, kind: "guest" } });
    }
  }

  async signIn(username, password) {
    this.#adopt(await post("/auth/login", { username, password }));
  }

  async register(username, password) {
    this.#adopt(await post("/auth/register", { username, password }));
  }

  /** Forgets first and tells the service after: signing out works without it. */
  async signOut() {
    const refreshToken = this.#stored?.refreshToken;
    this.#store(null);
    if (refreshToken) await post("/auth/logout", { refresh_token: refreshToken }).catch(() => {});
  }

  /** Ends the sessions of this account on all devices, this one included. Fails if nobody was signed out. */
  async endAllSessions() {
    await post("/auth/logout-everywhere", undefined, await this.freshToken());
  }

  /** The token to connect with, renewed if it is about to expire; undefined without an auth service.
   *  Never fails: a token that could not be renewed is for the gateway to judge. */
  async freshToken() {
    if (this.isExpiring) await this.renew().catch(() => {});
    return this.#stored?.accessToken;
  }

  /** Exchanges the refresh token. It rotates, and a second use of the old one would look like theft:
   *  whoever asks during an exchange shares it. */
  renew() {
    this.#renewal ??= this.#exchange().finally(() => { this.#renewal = undefined; });
    return this.#renewal;
  }

  async #exchange() {
    const refreshToken = this.#stored?.refreshToken;
    const grant = await post("/auth/refresh", { refresh_token: refreshToken });
    // Signed out, or in as somebody else, while the answer was on its way: it is nobody's now.
    if (this.#stored?.refreshToken === refreshToken) this.#adopt(grant);
  }

  #adopt(grant) {
    this.#store({
      user: grant.user,
      accessToken: grant.access_token,
      refreshToken: grant.refresh_token,
      expiresAt: Date.now() + grant.expires_in * 1000,
    });
  }

  #store(stored) {
    this.#stored = stored;
    if (stored) this.#storage.setItem(STORAGE_KEY, JSON.stringify(stored));
    else this.#storage.removeItem(STORAGE_KEY);
  }
}

/** Random without `crypto.randomUUID`, which plain-http pages on other hosts than localhost do not have. */
export function randomHex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function post(path, body, token) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      keepalive: true,
    });
  } catch {
    throw absent();
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  if (ABSENT.has(response.status)) throw absent(answer?.error?.message);
  throw new Refusal(answer?.error ?? { message: `The sign-in service answered ${response.status}.`, retryable: response.status >= 500 });
}

function absent(message = "The sign-in service is not reachable. You can continue as guest.") {
  return Object.assign(new NoAnswer(message), { isServiceAbsent: true });
}
