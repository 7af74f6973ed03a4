/** When a client comes back, when it does not, and how it notices. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";

import { NAMES, connected, settle, start } from "./scene.mjs";

/** Fail a number of attempts, and give their delays. */
async function failures({ sockets, of, pass }, count) {
  for (let number = 0; number < count; number += 1) {
    sockets.at(-1).ends();
    await pass(of("state").at(-1).delay);
  }
  return of("state").flatMap(({ state, delay }) => (state === "waiting" ? [delay] : []));
}

test("delays double up to a bound, with full jitter", async (t) => {
  const scene = start(t);
  await settle();
  const middles = [500, 1000, 2000, 4000, 8000, 15000, 15000];
  assert.deepEqual(await failures(scene, 7), middles);
  assert.equal(scene.sockets.length, 8);
});

test("delays are bounded as asked, and random from zero on", async (t) => {
  const scene = start(t, { minDelay: 100, maxDelay: 300 });
  await settle();
  assert.deepEqual(await failures(scene, 3), [50, 100, 150]);
  t.mock.method(Math, "random", () => 0);
  assert.equal((await failures(scene, 1)).at(-1), 0);
});

test("a connection that lasts begins anew, another does not", async (t) => {
  const scene = start(t);
  await settle();
  await failures(scene, 3);
  const short = await scene.greeted();
  short.answers(NAMES, { position: "p0" });
  await scene.pass(4_900);
  assert.equal((await failures(scene, 1)).at(-1), 4000);
  const long = await scene.greeted();
  long.answers(NAMES, { resumed: true, replayed: 0, position: "p0" });
  await scene.pass(5_000);
  assert.equal((await failures(scene, 1)).at(-1), 500);
});

test("it says that it waits, why, and for how long", async (t) => {
  const { socket, of } = await connected(t);
  socket.ends(1013, "reading too slowly");
  assert.deepEqual(of("state").at(-1), {
    ...{ state: "waiting", previous: "connected" },
    ...{ code: 1013, reason: "reading too slowly", delay: 500 },
  });
});

test("the server's own delay counts from the close", async (t) => {
  const { socket, sockets, of, pass } = await connected(t);
  socket.says({ reconnect: { after_ms: 1700 } });
  await pass(3_000);
  assert.equal(sockets.length, 1);
  socket.publishes("p1");
  socket.ends(1012);
  assert.equal(of("state").at(-1).delay, 1700);
  await pass(1_699);
  assert.equal(sockets.length, 1);
  await pass(1);
  assert.equal(sockets.length, 2);
});

test("the server's delay is bounded, and ignored when it is none", async (t) => {
  const scene = await connected(t);
  scene.socket.says({ reconnect: { after_ms: 1e12 } });
  scene.socket.ends(1012);
  assert.equal(scene.of("state").at(-1).delay, 300_000);
  await scene.pass(300_000);
  const next = await scene.greeted();
  next.says({ reconnect: { after_ms: "soon" } });
  next.says({ reconnect: { after_ms: -1 } });
  next.ends(1012);
  assert.equal(scene.of("state").at(-1).delay, 500);
});

for (const code of [1008, 1009, 4401]) {
  test(`it stays down after ${code}`, async (t) => {
    const { client, socket, sockets, of, pass } = await connected(t);
    socket.ends(code, "no");
    assert.equal(client.state, "closed");
    assert.equal(of("state").at(-1).code, code);
    await pass(3_600_000);
    assert.equal(sockets.length, 1);
    await assert.rejects(client.subscribe({}), { name: "InvalidStateError" });
  });
}

for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013]) {
  test(`it comes back after ${code}`, async (t) => {
    const { client, socket } = await connected(t);
    socket.ends(code);
    assert.equal(client.state, "waiting");
  });
}

test("connect() after the end begins anew, where it was", async (t) => {
  const { client, socket, greeted, states } = await connected(t);
  socket.ends(1008);
  client.connect();
  client.connect();
  assert.equal((await greeted()).sent[0].since, "p0");
  assert.deepEqual(states(), ["connected", "closed", "connecting"]);
});

test("connect() does not wait for what was before", async (t) => {
  const scene = start(t);
  await settle();
  await failures(scene, 3);
  scene.client.close();
  scene.client.connect();
  await settle();
  assert.equal((await failures(scene, 1)).at(-1), 500);
});

test("close() ends everything, whatever it is doing", async (t) => {
  const waiting = await connected(t);
  const subscribed = waiting.client.subscribe({ jobs: [1] });
  waiting.socket.ends();
  waiting.client.close();
  await assert.rejects(subscribed, { name: "AbortError" });
  await waiting.pass(3_600_000);
  assert.equal(waiting.sockets.length, 1);
  t.mock.timers.reset();
  t.mock.restoreAll();

  const open = await connected(t);
  const first = open.client.subscribe({ jobs: [1] });
  const second = open.client.subscribe({ jobs: [2] });
  open.client.close();
  open.client.close();
  assert.ok(open.socket.isClosed);
  open.socket.publishes("p1");
  open.socket.ends(1000);
  await assert.rejects(first, { name: "AbortError" });
  await assert.rejects(second, { name: "AbortError" });
  assert.deepEqual(open.states(), ["connected", "closed"]);
  assert.deepEqual(open.of("event"), []);
});

test("close() before it has begun", async (t) => {
  const { client, sockets } = start(t);
  client.close();
  await settle();
  assert.equal(sockets.length, 0);
});

test("a server that does not greet is given up", async (t) => {
  const { sockets, of, pass } = start(t);
  await settle();
  await pass(9_999);
  assert.ok(!sockets[0].isClosed);
  await pass(1);
  assert.ok(sockets[0].isClosed);
  assert.equal(of("state").at(-1).reason, "no answer in time");
});

test("two heartbeats missed, and it comes back", async (t) => {
  const { client, socket, of, pass } = await connected(t);
  await pass(15_000);
  socket.says({ heartbeat: "p1" });
  await pass(30_000);
  assert.equal(client.state, "connected");
  await pass(7_500);
  assert.equal(of("state").at(-1).reason, "no sign of life");
  assert.ok(socket.isClosed);
  socket.publishes("p2");
  assert.equal(client.position, "p1", "what comes late comes again");
});

test("any frame is a sign of life", async (t) => {
  const { client, socket, pass } = await connected(t);
  for (let seconds = 0; seconds < 120; seconds += 15) {
    socket.publishes(`p${seconds}`);
    await pass(15_000);
  }
  assert.equal(client.state, "connected");
});

test("timers that are held back do no harm", async (t) => {
  const { client, socket, pass } = await connected(t);
  for (let minutes = 0; minutes < 10; minutes += 1) {
    // One look a minute, while frames come as always.
    socket.says({ heartbeat: `p${minutes}` });
    await pass(7_500);
  }
  assert.equal(client.state, "connected");
});

test("browsers tell of their network", async (t) => {
  const network = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"]) {
    globalThis[name] = network[name].bind(network);
    t.after(() => delete globalThis[name]);
  }
  const { client, socket, sockets, of, pass } = await connected(t);
  network.dispatchEvent(new Event("online"));
  await pass(1_000);
  assert.equal(sockets.length, 1);
  network.dispatchEvent(new Event("offline"));
  assert.ok(socket.isClosed);
  assert.equal(of("state").at(-1).reason, "offline");
  for (let count = 1; count < 6; count += 1) {
    await pass(of("state").at(-1).delay);
    sockets.at(-1).ends();
  }
  assert.equal(of("state").at(-1).delay, 15_000);
  network.dispatchEvent(new Event("online"));
  network.dispatchEvent(new Event("online"));
  const before = sockets.length;
  await pass(500);
  assert.equal(sockets.length, before + 1);
  const next = sockets.at(-1);
  next.accept();
  await pass(20_000);
  assert.equal(sockets.length, before + 1, "what it had waited for is over");
  next.says({ reconnect: { after_ms: 9_000 } });
  next.ends(1012);
  network.dispatchEvent(new Event("online"));
  await pass(8_999);
  assert.equal(sockets.length, before + 1, "the server's delay is an order");
  client.close();
  for (const type of ["online", "offline"]) {
    assert.deepEqual(getEventListeners(network, type), []);
  }
});
