// Owns: the HTTP calls to the auth service, and this tab's signed-in user. `session.js` keeps the tokens.
// Must not: touch the DOM or the socket, or give a token to any code but the caller of `freshToken()`.

import { NoAnswer, Refusal } from "./errors.js";
import { randomHex, Session } from "./session.js";

const STORAGE_KEY = "roomwire.account";
/** A request is given up after this many ticks in which the page ran, so a page that was frozen still reads its answer. */
const REQUEST_TICKS = 10;
const TICK_MS = 500;
/** A token that expires sooner than this is renewed before it is used to connect. */
const RENEW_BEFORE_MS = 30_000;
/** Statuses that a proxy answers where no auth service runs. */
const ABSENT = new Set([404, 502, 503]);

/** The signed-in user of this tab, and of the tabs duplicated from it. Survives a reload, ends with the last tab. */
export class Account {
  #own;
  #shared;
  #stored;
  #session;
  #tokens = null;
  #renewal;

  /** `own` is this tab's storage, `shared` is shared by all tabs. Await `load()` before anything else. */
  constructor(own, shared) {
    this.#own = own;
    this.#shared = shared;
    this.#stored = JSON.parse(own.getItem(STORAGE_KEY) ?? "null");
  }

  /** Finds the tokens again after a reload, or in a duplicated tab. Without them, no user is signed in. */
  async load() {
    if (!this.#stored) return;
    const { key } = this.#stored;
    if (key) this.#session = new Session(this.#shared, key);
    this.#tokens = await this.#session?.read() ?? null;
    if (!this.#tokens && key !== null) this.#forget();
  }

  /** `{id, name, kind}`, or undefined when signed out. */
  get user() {
    return this.#stored?.user;
  }

  /** True if a refused token can be exchanged for a new one. */
  get isRenewable() {
    return Boolean(this.#tokens?.refreshToken);
  }

  /** True if the token is expired or about to be. */
  get isExpiring() {
    return this.isRenewable && this.renewInMs < 0;
  }

  /** Milliseconds until the token is about to expire; negative if it already is, or if there is no token. */
  get renewInMs() {
    return renewInMs(this.#tokens);
  }

  /** Guests need no auth service: where none runs, they connect without a token. */
  async continueAsGuest(name) {
    try {
      await this.#begin(await post("/auth/guest", name ? { name } : {}));
    } catch (error) {
      if (!error.isServiceAbsent) throw error;
      this.#remember({ id: "", name: name || `guest-${randomHex(2)}`, kind: "guest" }, null);
    }
  }

  async signIn(username, password) {
    await this.#begin(await post("/auth/login", { username, password }));
  }

  async register(username, password) {
    await this.#begin(await post("/auth/register", { username, password }));
  }

  /** Forgets the tokens in all tabs of the session before it tells the service, so signing out works without the service. */
  async signOut() {
    const session = this.#session;
    this.#forget();
    const tokens = await session?.read();
    session?.end();
    if (tokens) await post("/auth/logout", { refresh_token: tokens.refreshToken }).catch(() => {});
  }

  /** Ends the sessions of this account on all devices, this one included. Throws if no session was ended. */
  async endAllSessions() {
    await post("/auth/logout-everywhere", undefined, await this.freshToken());
  }

  /** The token to connect with, renewed if it is about to expire; undefined without an auth service.
   *  Never fails: the gateway decides about a token that could not be renewed. */
  async freshToken() {
    if (this.isExpiring) await this.renew().catch(() => {});
    return this.#tokens?.accessToken;
  }

  /** Takes the tokens that another tab has got, or exchanges the refresh token. Refresh tokens rotate, and a second use of
   *  the old one would look like theft, so tabs renew one after another, and concurrent callers share one exchange. */
  renew() {
    const session = this.#session;
    this.#renewal ??= session.alone(() => this.#renew(session)).finally(() => { this.#renewal = undefined; });
    return this.#renewal;
  }

  async #renew(session) {
    let tokens = await session.read();
    const isOurs = tokens?.refreshToken === this.#tokens?.refreshToken;
    if (tokens && (isOurs || renewInMs(tokens) < 0)) {
      const grant = await post("/auth/refresh", { refresh_token: tokens.refreshToken });
      // The user may have signed out while the answer was on its way; then the tokens are dropped.
      tokens = await session.read() && tokensOf(grant);
      if (tokens) await session.write(tokens);
    }
    if (!tokens) throw new Refusal({ code: "unauthenticated", message: "You have signed out in another tab." });
    if (this.#session === session) this.#tokens = tokens;
  }

  async #begin(grant) {
    const session = Session.begin(this.#shared);
    const tokens = tokensOf(grant);
    await session.write(tokens);
    this.#session = session;
    this.#tokens = tokens;
    this.#remember(grant.user, session.key);
  }

  #remember(user, key) {
    this.#stored = { user, key };
    this.#own.setItem(STORAGE_KEY, JSON.stringify(this.#stored));
  }

  #forget() {
    this.#stored = this.#session = undefined;
    this.#tokens = null;
    this.#own.removeItem(STORAGE_KEY);
  }
}

function tokensOf(grant) {
  return {
    accessToken: grant.access_token,
    refreshToken: grant.refresh_token,
    expiresAt: Date.now() + grant.expires_in * 1000,
  };
}

function renewInMs(tokens) {
  return (tokens?.expiresAt ?? 0) - RENEW_BEFORE_MS - Date.now();
}

async function post(path, body, token) {
  const patience = new AbortController();
  let ticks = REQUEST_TICKS;
  const ticking = setInterval(() => { if (--ticks === 0) patience.abort(); }, TICK_MS);
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      signal: patience.signal,
      keepalive: true,
    });
    answer = await response.json().catch(() => null);
  } catch {
    throw absent();
  } finally {
    clearInterval(ticking);
  }
  if (response.ok) return answer;
  if (ABSENT.has(response.status)) throw absent(answer?.error?.message);
  throw new Refusal(answer?.error ?? { message: `The sign-in service answered ${response.status}.`, retryable: response.status >= 500 });
}

function absent(message = "The sign-in service is not reachable. You can continue as guest.") {
  return Object.assign(new NoAnswer(message), { isServiceAbsent: true });
}
