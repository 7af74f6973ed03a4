/** The towerws client for browsers and Node; docs/clients.md tells how to use it. */

/** `{jobs: ["summary"], job_events: [42]}` is jobs-summary and job_events-42. */
export type Groups = Readonly<Record<string, readonly (string | number)[]>>;

/**
 * - `connecting`: no events come; the subscription is not (again) in force yet
 * - `connected`: the subscription is in force
 * - `waiting`: the connection was lost or could not be made; there is another attempt in a while
 * - `closed`: by `close()`, or since the server wants it so; `connect()` begins anew
 */
export type State = "connecting" | "connected" | "waiting" | "closed";

export interface Options {
  /** What to subscribe to at first; nothing if left out. */
  groups?: Groups;
  /** A position that a client had, on the page before: go on there. Of use only with `groups`. */
  since?: string | null;
  /** Credentials, sent as the subprotocol `bearer.<token>`: a JWT, for `--auth jwt`. */
  token?: string | null;
  /**
   * Gives a token when there is none yet, and a new one when the server has refused the one there
   * is: once, until the server accepts one. Null when there is none to be had: the client closes.
   * What it throws is told as an `error`, and tried again.
   */
  getToken?: (() => string | null | Promise<string | null>) | null;
  /** The CSRF token of the session, for servers that want it; a function is asked each time. */
  xrftoken?: string | (() => string) | null;
  /**
   * `v1` (default) offers the subprotocols `towerws.v1` and `towerws.awx`. `awx` offers none, for
   * servers that know none, as AWX 10 to 24: a browser would not connect otherwise.
   */
  profile?: "v1" | "awx";
  /** The WebSocket to use where there is none, as in Node before 22. */
  WebSocket?: new (url: string, protocols?: string[]) => any;
  /** Bound of the random delay before the first attempt to come back, in milliseconds: 1000. */
  minDelay?: number;
  /** Bound of all such delays, in milliseconds: 30000. */
  maxDelay?: number;
}

/** What a subscription that is in force changed: names such as `job_events-42`. */
export interface Subscribed {
  current: string[];
  joined: string[];
  left: string[];
  /** What the user may not hear. */
  refused: string[];
}

export interface TowerWSEventMap {
  /** Something was published. */
  event: CustomEvent<{
    /** The group, such as `job_events-42`; null in profile awx, which does not say. */
    group: string | null;
    /** What was published: a JSON object. */
    payload: any;
    /** Where a client goes on that has this event; null in profile awx. */
    position: string | null;
  }>;
  /** Events may have been missed: fetch anew. */
  gap: CustomEvent<{
    /** One sentence, for people. */
    why: string;
    /** From where on nothing is missing. */
    position: string | null;
  }>;
  /** `client.state` has changed. */
  state: CustomEvent<{
    state: State;
    previous: State;
    /** The Close code of the connection that ended: 1006 if it was lost, null if none ended. */
    code: number | null;
    /** What was said about that, for people. */
    reason: string;
    /** Milliseconds until the next attempt, while `waiting`. */
    delay: number | null;
  }>;
  /** The server refused something, or something else went wrong that the client goes on after. */
  error: CustomEvent<{
    message: string;
    /** The one group that was refused, if it was one. */
    group: string | null;
  }>;
}

/**
 * A client that stays subscribed: connects at once, comes back when the connection is lost, and
 * goes on where it was; what cannot be made up for is told as a `gap`.
 */
export class TowerWS extends EventTarget {
  /**
   * @param url Such as `wss://example.com/websocket/`; in browsers also relative: `/websocket/`.
   * @throws {TypeError} An option cannot be, or there is no WebSocket.
   */
  constructor(url: string | URL, options?: Options);

  readonly state: State;

  /**
   * Up to where all events of the subscription have been dispatched, for `since`. Opaque;
   * moves when the listeners have returned. Null before the first answer and in profile awx.
   */
  readonly position: string | null;

  /**
   * Replace the subscription by another.
   *
   * @returns Fulfilled when it is in force: what is published from then on is heard. Rejected if it
   *   was refused (`Error`), if another took its place before, or if the client closed
   *   (`DOMException`). It may be left alone.
   * @throws {TypeError} These are no groups.
   */
  subscribe(groups: Groups): Promise<Subscribed>;

  /** Begin anew after `closed`, with the last subscription and where it was. */
  connect(): void;

  /** Close, and stay closed. */
  close(): void;

  addEventListener<K extends keyof TowerWSEventMap>(
    type: K,
    listener: ((this: TowerWS, event: TowerWSEventMap[K]) => unknown) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof TowerWSEventMap>(
    type: K,
    listener: ((this: TowerWS, event: TowerWSEventMap[K]) => unknown) | null,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
