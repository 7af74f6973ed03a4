/**
 * The towerws client for browsers and Node: it subscribes, comes back, resumes, and says when it
 * could not. It speaks profile "towerws.v1" of docs/protocol.md, and "awx" with servers that know
 * only that. towerws.d.ts tells what is public, docs/clients.md how to use it.
 *
 * `Connection` is one websocket from its opening to its end, `Wish` a subscription that somebody
 * waits for, `Backoff` the time between attempts; `TowerWS` is what they serve.
 */

const V1 = "towerws.v1";
const AWX = "towerws.awx";

/** Milliseconds from opening a websocket to the server's greeting, which comes within 3 s. */
const GREETED_WITHIN = 10_000;

/** Milliseconds for `getToken`, which asks somebody over a network. */
const TOKEN_WITHIN = 30_000;

/** Milliseconds in force after which a connection was no accident, and delays begin anew. */
const SETTLED_AFTER = 5_000;

/** Looks in each heartbeat interval, and looks in vain after which a connection is given up. */
const LOOKS_PER_INTERVAL = 2;
const LOOKS_IN_VAIN = 4;

/** Longest delay that a server may ask for, in milliseconds. */
const LONGEST_ORDER = 300_000;

/** Longest position that a server looks at, in characters. */
const LONGEST_POSITION = 128;

/** Close codes behind which the same would happen again: policy or revoked, message too large. */
const FINAL = new Set([1008, 1009]);

/** Close code of credentials that are no longer valid. */
const EXPIRED = 4401;

/** Close code of a connection that was lost, as in the WebSocket API. */
const LOST = 1006;

/** The refusal of one group. Other errors refuse all of what was asked. */
const REFUSED_GROUP = /^access denied to channel (\S+) for resource id (\S+)$/;

/** What a subprotocol may consist of (RFC 9110, "token"). */
const SUBPROTOCOL = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Full jitter: each delay is anything up to a bound, which doubles. */
class Backoff {
  #first;
  #longest;
  #failures = 0;

  /** Bounds of the first delay and of all, in milliseconds. */
  constructor(first, longest) {
    this.#first = first;
    this.#longest = longest;
  }

  /** Give a delay up to the first bound: how long to wait when all come back at once. */
  get short() {
    return Math.random() * this.#first;
  }

  /** Give the delay before the next attempt, in milliseconds. */
  next() {
    const bound = Math.min(this.#longest, this.#first * 2 ** this.#failures);
    this.#failures += 1;
    return Math.random() * bound;
  }

  /** Begin anew: all is well. */
  reset() {
    this.#failures = 0;
  }
}

/** Groups that somebody wants to hear, and waits for. */
class Wish {
  constructor(groups) {
    this.groups = copyOf(groups);
    this.names = new Set(
      Object.entries(this.groups).flatMap(([group, ids]) => ids.map((id) => `${group}-${id}`)),
    );
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Who does not wait learns it from events; Node ends when nobody takes a rejection.
    this.promise.catch(() => {});
  }

  /** Tell whether this is the answer, and not one that tells of groups taken away meanwhile. */
  isAnsweredBy(current, refused) {
    const names = new Set(current);
    return (
      current.every((name) => this.names.has(name)) &&
      [...this.names].every((name) => names.has(name) || refused.has(name))
    );
  }
}

/** One websocket, from its opening to its end, which is told once. */
class Connection {
  #socket;
  #owner;
  #timer;
  #isGreeted = false;
  #hasEnded = false;
  #isRefused = false;
  #order = null;
  #heard = false;
  #inVain = 0;

  /** Take a new websocket, and an owner with `greeted()`, `received(frame)` and `ended(end)`. */
  constructor(socket, owner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#timer = setTimeout(() => this.drop("no answer in time"), GREETED_WITHIN);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#received(parse(data));
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
    // A close follows. Some implementations throw an error that nobody takes.
    socket.onerror = () => {};
  }

  /** Whether events have positions; not known before the greeting. */
  get hasPositions() {
    return this.#socket.protocol === V1;
  }

  /** Send a frame; one that is about to end ignores it. */
  send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** End now, whatever the network does: a closing handshake may take minutes. */
  drop(reason) {
    this.#end(LOST, reason);
  }

  /** End without telling the owner, who wants it. */
  close() {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
  }

  #received(frame) {
    this.#heard = true;
    if (this.#isGreeted) {
      if (this.hasPositions && frame?.reconnect) this.#takeOrder(frame.reconnect.after_ms);
      else this.#owner.received(frame);
    } else if (frame?.accept === true) {
      this.#isGreeted = true;
      clearTimeout(this.#timer);
      if (frame.heartbeat > 0) this.#watch(frame.heartbeat * 1000);
      this.#owner.greeted();
    } else if (frame?.close === true) {
      this.#isRefused = true;
    }
  }

  #takeOrder(delay) {
    if (delay >= 0) this.#order = Math.min(delay, LONGEST_ORDER);
  }

  // Looks are counted, not seconds: a timer that is held back in a background tab is only a later
  // look, and after a pause of the whole machine there is time to read what has come meanwhile.
  #watch(interval) {
    this.#timer = setTimeout(() => {
      this.#inVain = this.#heard ? 0 : this.#inVain + 1;
      this.#heard = false;
      if (this.#inVain === LOOKS_IN_VAIN) this.drop("no sign of life");
      else this.#watch(interval);
    }, interval / LOOKS_PER_INTERVAL);
  }

  #end(code, reason) {
    if (this.#hasEnded) return;
    this.close();
    this.#owner.ended({ code, reason, isRefused: this.#isRefused, order: this.#order });
  }
}

/** A client that stays subscribed; see towerws.d.ts. */
export class TowerWS extends EventTarget {
  #url;
  #options;
  #backoff;
  #token;
  #isTokenNew = false;
  #state = "connecting";
  #position;

  // What is in force, or was at last; and what is to be, until it is answered.
  #inForce = null;
  #wanted;
  // Whether there is anything to miss: somebody has listened, here or on the page before.
  #hasListened;

  // The connection, if any; what it was asked and has not answered; whether it answered anything;
  // whether all is here, or on its way, up to where the server stands; how many events to replay.
  #connection = null;
  #isGreeted = false;
  #asked = null;
  #isAnswered = false;
  #isWhole = false;
  #replayed = 0;

  // Until the next attempt or, when in force, until settled. Outdated attempts know by the number.
  #timer;
  #attempt = 0;
  #isOrdered = false;
  #following;

  constructor(url, options = {}) {
    super();
    this.#url = absolute(url);
    this.#options = checked(options);
    this.#backoff = new Backoff(this.#options.minDelay, this.#options.maxDelay);
    this.#token = this.#options.token;
    this.#position = this.#options.since;
    this.#hasListened = this.#position !== null;
    this.#wanted = new Wish(this.#options.groups ?? {});
    this.#start();
  }

  get state() {
    return this.#state;
  }

  get position() {
    return this.#position;
  }

  subscribe(groups) {
    const wish = new Wish(groups);
    if (this.#state === "closed") {
      wish.reject(new DOMException("the client is closed", "InvalidStateError"));
      return wish.promise;
    }
    // One that was sent may still be answered.
    if (this.#wanted !== this.#asked?.wish) this.#wanted?.reject(superseded());
    this.#wanted = wish;
    this.#ask();
    return wish.promise;
  }

  connect() {
    if (this.#state === "closed") this.#start();
  }

  close() {
    if (this.#state !== "closed") this.#stop({ code: 1000, reason: "closed by the client" });
  }

  // --- connecting -----------------------------------------------------------------------------

  #start() {
    this.#backoff.reset();
    this.#following = followNetwork(
      () => this.#isOnline(),
      () => this.#connection?.drop("offline"),
    );
    this.#open();
  }

  async #open() {
    const attempt = ++this.#attempt;
    this.#become("connecting");
    // Whoever has made the client adds its listeners first.
    await undefined;
    if (attempt !== this.#attempt) return;
    try {
      if (this.#token === null && this.#options.getToken) await this.#fetchToken(attempt);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#complain({ message: `no token: ${error?.message ?? error}` });
      if (attempt === this.#attempt) this.#wait({ code: LOST, reason: "no token" });
      return;
    }
    if (attempt === this.#attempt) this.#connect();
  }

  async #fetchToken(attempt) {
    const token = await within(TOKEN_WITHIN, this.#options.getToken());
    if (attempt !== this.#attempt) return;
    if (!token) return this.#stop({ code: EXPIRED, reason: "there is no token" });
    this.#token = checkedToken(token);
    this.#isTokenNew = true;
  }

  #connect() {
    let socket;
    try {
      socket = new this.#options.WebSocket(this.#url, this.#subprotocols());
    } catch (error) {
      // Not for now, but for good: a websocket that is not encrypted from a page that is.
      this.#complain({ message: error.message });
      this.#stop({ code: LOST, reason: error.message });
      return;
    }
    this.#connection = new Connection(socket, {
      greeted: () => this.#greeted(),
      received: (frame) => this.#received(frame),
      ended: (end) => this.#ended(end),
    });
  }

  #subprotocols() {
    const bearer = this.#token === null ? [] : [`bearer.${this.#token}`];
    if (this.#options.profile === "v1") return [V1, AWX, ...bearer];
    // AWX selects none, and browsers fail a connection that offers some and gets none.
    return bearer.length ? [AWX, ...bearer] : [];
  }

  #greeted() {
    this.#isGreeted = true;
    this.#isTokenNew = false;
    this.#ask();
  }

  #ended(end) {
    const wish = this.#forget();
    // It is not in force, and what is wanted by now will be sent instead.
    if (wish !== this.#wanted) wish?.reject(superseded());
    if (end.isRefused || end.code === EXPIRED) {
      const { getToken } = this.#options;
      if (getToken) this.#token = null;
      if (!getToken || this.#isTokenNew) return this.#stop(end);
    } else if (FINAL.has(end.code)) {
      return this.#stop(end);
    }
    this.#wait(end);
  }

  #forget() {
    const wish = this.#asked?.wish;
    clearTimeout(this.#timer);
    this.#connection = this.#asked = null;
    this.#isGreeted = this.#isAnswered = this.#isWhole = false;
    this.#replayed = 0;
    return wish;
  }

  #wait({ code, reason, order = null }) {
    const delay = Math.round(order ?? this.#backoff.next());
    this.#isOrdered = order !== null;
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#become("waiting", { code, reason, delay });
  }

  #isOnline() {
    if (this.#state !== "waiting" || this.#isOrdered) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), this.#backoff.short);
  }

  #stop({ code, reason }) {
    this.#attempt += 1;
    this.#following.abort();
    this.#connection?.close();
    const error = new DOMException(`the client is closed: ${reason || code}`, "AbortError");
    this.#forget()?.reject(error);
    this.#wanted?.reject(error);
    this.#become("closed", { code, reason });
  }

  // --- subscribing ----------------------------------------------------------------------------

  // One at a time: an answer does not say what it answers.
  #ask() {
    if (!this.#isGreeted || this.#asked) return;
    const wish = this.#wanted ?? (this.#isAnswered ? null : this.#inForce);
    if (!wish) return;
    const { xrftoken } = this.#options;
    const frame = { groups: wish.groups };
    if (xrftoken !== null) frame.xrftoken = typeof xrftoken === "function" ? xrftoken() : xrftoken;
    if (!this.#isAnswered && this.#connection.hasPositions && this.#position !== null) {
      frame.since = this.#position;
    }
    this.#asked = { wish, resumes: "since" in frame, refused: new Set() };
    this.#connection.send(frame);
  }

  #answered(frame) {
    const { hasPositions } = this.#connection;
    const { wish, resumes, refused } = this.#asked ?? {};
    // Without being asked it tells of groups that were taken away.
    if (!wish || (hasPositions && !wish.isAnsweredBy(frame.groups_current, refused))) return;
    const isFirst = !this.#isAnswered;
    const mayHaveMissed = this.#hasListened && !resumes;
    this.#asked = null;
    this.#isAnswered = true;
    this.#hasListened ||= wish.names.size > 0;
    this.#inForce = wish;
    if (this.#wanted === wish) this.#wanted = null;
    if (!hasPositions) {
      this.#position = null;
    } else if (!resumes || frame.resumed) {
      this.#isWhole = true;
      if (resumes) this.#replayed = frame.replayed;
      // With events on their way, each of them will say how far that is.
      if (!this.#replayed) this.#move(frame.position);
    }
    wish.resolve({
      current: frame.groups_current,
      joined: frame.groups_joined,
      left: frame.groups_left,
      refused: [...refused],
    });
    this.#ask();
    if (isFirst) this.#settle(mayHaveMissed);
  }

  #settle(mayHaveMissed) {
    const connection = this.#connection;
    this.#timer = setTimeout(() => this.#backoff.reset(), SETTLED_AFTER);
    this.#become("connected");
    if (mayHaveMissed && connection === this.#connection) {
      this.#tell("gap", { why: "the server could not resume", position: this.#position });
    }
  }

  #failed(message) {
    const group = REFUSED_GROUP.exec(message)?.slice(1).join("-") ?? null;
    const connection = this.#connection;
    if (group !== null) this.#asked?.refused.add(group);
    const wish = group === null ? this.#asked?.wish : null;
    if (wish) {
      this.#asked = null;
      if (this.#wanted === wish) this.#wanted = null;
      wish.reject(new Error(message));
    }
    this.#complain({ message, group });
    if (!wish) return;
    // What had been in force is to be again, at another time if not now.
    if (wish === this.#inForce && !this.#wanted) connection.drop(message);
    else this.#ask();
  }

  // --- hearing --------------------------------------------------------------------------------

  #received(frame) {
    if (frame === null || typeof frame !== "object") {
      this.#tell("gap", { why: "a frame could not be read", position: this.#position });
    } else if (Array.isArray(frame.groups_current) && Array.isArray(frame.groups_joined)) {
      this.#answered(frame);
    } else if (typeof frame.error === "string" && Object.keys(frame).length === 1) {
      this.#failed(frame.error);
    } else if (!this.#connection.hasPositions) {
      this.#tell("event", { group: null, payload: frame, position: null });
    } else if ("event" in frame) {
      const { group, event: payload, position } = frame;
      this.#tell("event", { group, payload, position });
      this.#move(position);
      this.#replayed = Math.max(0, this.#replayed - 1);
    } else if ("heartbeat" in frame) {
      // Before the answer, it stands where we will be only when that has come.
      if (this.#isWhole) this.#move(frame.heartbeat);
    } else if ("gap" in frame) {
      const { gap: why, position } = frame;
      const isAnswered = this.#isAnswered;
      this.#isWhole = isAnswered;
      this.#replayed = 0;
      this.#tell("gap", { why, position });
      if (isAnswered) this.#move(position);
    }
  }

  #move(position) {
    if (typeof position === "string") this.#position = position;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #complain({ message, group = null }) {
    this.#tell("error", { message, group });
  }

  #become(state, { code = null, reason = "", delay = null } = {}) {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#tell("state", { state, previous, code, reason, delay });
  }
}

function superseded() {
  return new DOMException("another subscription has taken the place of this one", "AbortError");
}

/** Read a frame; undefined if it is none. */
function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Copy what to subscribe to, so that nobody changes it later. */
function copyOf(groups) {
  const isList = (ids) =>
    Array.isArray(ids) && ids.every((id) => typeof id === "string" || Number.isSafeInteger(id));
  if (groups === null || typeof groups !== "object" || !Object.values(groups).every(isList)) {
    throw new TypeError("groups are an object of lists: {jobs: ['summary'], job_events: [42]}");
  }
  return Object.fromEntries(Object.entries(groups).map(([group, ids]) => [group, [...ids]]));
}

function absolute(url) {
  const found = new URL(url, globalThis.location?.href);
  found.protocol = found.protocol.replace(/^http/, "ws");
  found.hash = "";
  if (!/^wss?:$/.test(found.protocol)) throw new TypeError(`${url} is no URL of a websocket`);
  return found.href;
}

function checked(given) {
  const options = {
    ...{ profile: "v1", groups: null, since: null, token: null, getToken: null, xrftoken: null },
    ...{ minDelay: 1_000, maxDelay: 30_000, WebSocket: globalThis.WebSocket },
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  if (typeof options.WebSocket !== "function") {
    throw new TypeError(
      "there is no WebSocket here, which Node has from 22 on: " +
        "install one, such as ws, and give it as the option WebSocket",
    );
  }
  if (!["v1", "awx"].includes(options.profile)) throw new TypeError("profile is 'v1' or 'awx'");
  // What a store gives that has none may be an empty text.
  if (options.since === "") options.since = null;
  if (options.since !== null) checkSince(options);
  if (options.token !== null) checkedToken(options.token);
  if (!(options.minDelay > 0 && options.maxDelay >= options.minDelay)) {
    throw new RangeError("minDelay is to be above 0, and maxDelay not below it");
  }
  return options;
}

function checkSince({ since, groups }) {
  if (typeof since !== "string" || since.length > LONGEST_POSITION) {
    throw new TypeError("since is a position that a client had");
  }
  if (groups === null) throw new TypeError("since is of use only with groups");
}

function checkedToken(token) {
  if (typeof token === "string" && SUBPROTOCOL.test(token)) return token;
  throw new TypeError("the token has characters that a WebSocket subprotocol cannot have");
}

/** Wait for something, but not for ever. */
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Be told by a browser of its network, until the result is aborted. */
function followNetwork(online, offline) {
  const following = new AbortController();
  const { signal } = following;
  globalThis.addEventListener?.("online", online, { signal });
  globalThis.addEventListener?.("offline", offline, { signal });
  return following;
}
