/** Tokens: where they go, and when there are new ones. */

import assert from "node:assert/strict";
import test from "node:test";

import { NAMES, connected, settle, start } from "./scene.mjs";

/** A getToken that gives t1, t2, t3 ... */
function tokens() {
  let count = 0;
  return () => Promise.resolve(`t${(count += 1)}`);
}

const offered = (socket) => socket.protocols.at(-1);

/** Refuse a client as the server does. */
function refuse(socket) {
  socket.readyState = 1;
  socket.says({ close: true });
  socket.ends(1000);
}

test("a token is a subprotocol", async (t) => {
  const { socket } = await connected(t, { token: "abc.def" });
  assert.deepEqual(socket.protocols, ["towerws.v1", "towerws.awx", "bearer.abc.def"]);
});

test("it stays down when it is refused", async (t) => {
  const { client, sockets, of, pass } = start(t, { token: "old" });
  await settle();
  refuse(sockets[0]);
  assert.equal(client.state, "closed");
  assert.equal(of("state").at(-1).code, 1000);
  await pass(3_600_000);
  assert.equal(sockets.length, 1);
});

test("getToken is asked when there is none, and its token is kept", async (t) => {
  const { sockets, greeted } = start(t, { getToken: tokens() });
  (await greeted()).answers(NAMES, { position: "p0" });
  assert.equal(offered(sockets[0]), "bearer.t1");
  sockets[0].ends();
  assert.equal(offered(await greeted()), "bearer.t1");
});

test("getToken is asked when they are no longer valid", async (t) => {
  const { client, socket, greeted } = await connected(t, { token: "old", getToken: tokens() });
  socket.ends(4401);
  assert.equal(client.state, "waiting");
  const next = await greeted();
  assert.equal(offered(next), "bearer.t1");
  assert.equal(next.sent[0].since, "p0");
  next.ends(4401);
  assert.equal(offered(await greeted()), "bearer.t2");
});

test("getToken is asked when what was slept through is refused, once", async (t) => {
  const { client, sockets, pass } = start(t, { token: "old", getToken: tokens() });
  await settle();
  refuse(sockets[0]);
  await pass(60_000);
  assert.equal(offered(sockets[1]), "bearer.t1");
  refuse(sockets[1]);
  assert.equal(client.state, "closed");
  await pass(3_600_000);
  assert.equal(sockets.length, 2);
  client.connect();
  await settle();
  assert.equal(offered(sockets[2]), "bearer.t2", "what was refused is not shown again");
});

test("no token to be had closes it", async (t) => {
  const { client, sockets, of } = start(t, { getToken: () => null });
  await settle();
  assert.equal(client.state, "closed");
  assert.equal(of("state").at(-1).code, 4401);
  assert.equal(sockets.length, 0);
});

for (const [what, getToken] of Object.entries({
  "throws": () => {
    throw new Error("the backend is away");
  },
  "rejects": () => Promise.reject(new Error("the backend is away")),
  "gives what cannot be sent": () => "a b",
})) {
  test(`getToken ${what}: told, and tried again`, async (t) => {
    const { client, of, pass } = start(t, { getToken });
    await settle();
    assert.equal(client.state, "waiting");
    await pass(500);
    assert.deepEqual(of("state").flatMap(({ delay }) => delay ?? []), [500, 1000]);
    assert.match(of("error")[0].message, /^no token: (the backend is away|the token has char)/);
  });
}

test("getToken that does not answer: the same", async (t) => {
  const { client, pass } = start(t, { getToken: () => new Promise(() => {}) });
  await settle();
  await pass(29_999);
  assert.equal(client.state, "connecting");
  await pass(1);
  assert.equal(client.state, "waiting");
});

test("getToken that answers when it is closed: nothing", async (t) => {
  for (const [settled, answer] of [["resolve", "late"], ["resolve", null], ["reject", "late"]]) {
    const asked = [];
    const getToken = () => new Promise((resolve, reject) => asked.push({ resolve, reject }));
    const { client, sockets, of } = start(t, { getToken });
    await settle();
    client.close();
    client.connect();
    await settle();
    asked[0][settled](answer);
    await settle();
    assert.equal(client.state, "connecting");
    asked[1].resolve("t1");
    await settle();
    assert.equal(sockets.length, 1);
    assert.equal(offered(sockets[0]), "bearer.t1");
    assert.deepEqual(of("error"), []);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
});

test("getToken is not asked by who closes at once", async (t) => {
  let count = 0;
  const { client } = start(t, { getToken: () => `t${(count += 1)}` });
  client.close();
  await settle();
  assert.equal(count, 0);
});
