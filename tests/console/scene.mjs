/** What the tests of the client share: a websocket whose other end is the test, and mocked time. */

import { TowerWS } from "../../towerws/console/towerws.js";

export const URL = "ws://127.0.0.1:8051/websocket/";

/** Groups to subscribe to, and their names. */
export const GROUPS = { jobs: ["summary"], job_events: [42] };
export const NAMES = ["job_events-42", "jobs-summary"];

/** A WebSocket; the methods behind `close` are the server's. */
class FakeWebSocket {
  readyState = 0;
  protocol = "";
  sent = [];
  isClosed = false;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
    // As ws does, which throws it if nobody listens.
    if (this.readyState === 0) this.onerror({ message: "closed before it was open" });
    this.readyState = Math.max(this.readyState, 2);
  }

  /** Accept the client, in a profile. */
  accept(protocol = "towerws.v1", heartbeat = 15) {
    this.readyState = 1;
    this.protocol = protocol;
    const v1 = protocol === "towerws.v1" ? { position: "p-accept", heartbeat } : {};
    this.says({ accept: true, user: 7, ...v1 });
  }

  says(frame) {
    this.writes(JSON.stringify(frame));
  }

  writes(data) {
    this.onmessage?.({ data });
  }

  /** Answer a subscription; in profile awx there is no more than the groups. */
  answers(current = NAMES, more = {}) {
    this.says({ groups_current: current, groups_left: [], groups_joined: current, ...more });
  }

  publishes(position, payload = {}, group = "jobs-summary") {
    this.says({ group, position, event: payload });
  }

  ends(code = 1006, reason = "") {
    this.readyState = 3;
    if (code === 1006) this.onerror({ message: "lost" });
    this.onclose?.({ code, reason, wasClean: code !== 1006 });
  }
}

/** Let what has been promised happen. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Mock time, and take the middle of all random delays. */
export function mockTime(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => 0.5);
}

/**
 * Make a client.
 *
 * Returns the client, its websockets, all it has dispatched as [type, detail], a function that
 * lets milliseconds pass, and one that brings the next connection to where its first frame is sent.
 */
export function start(t, options = {}) {
  const sockets = [];
  const dispatched = [];
  class WebSocket extends FakeWebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  }
  mockTime(t);
  const client = new TowerWS(URL, { WebSocket, groups: GROUPS, ...options });
  for (const type of ["event", "gap", "state", "error"]) {
    client.addEventListener(type, ({ detail }) => dispatched.push([type, detail]));
  }
  const of = (type) => dispatched.filter(([each]) => each === type).map(([, detail]) => detail);
  const pass = async (milliseconds) => {
    // In steps: what a timer starts counts from the end of the step, not from when it was due.
    for (let left = milliseconds; left > 0; left -= 500) t.mock.timers.tick(Math.min(left, 500));
    await settle();
  };
  const greeted = async (...args) => {
    const before = sockets.length;
    await settle();
    if (sockets.length === before && before && sockets.at(-1).readyState >= 2) await pass(60_000);
    sockets.at(-1).accept(...args);
    return sockets.at(-1);
  };
  t.after(() => client.close());
  const states = () => of("state").map(({ state }) => state);
  return { client, sockets, of, pass, greeted, states };
}

/** The same, connected: the subscription is in force at position p0. */
export async function connected(t, options = {}) {
  const scene = start(t, options);
  const socket = await scene.greeted();
  socket.answers(NAMES, { position: "p0" });
  return { ...scene, socket };
}
