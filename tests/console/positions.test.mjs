/** Where the client is: it goes on there, and skips nothing that was not dispatched or told. */

import assert from "node:assert/strict";
import test from "node:test";

import { GROUPS, NAMES, connected, start } from "./scene.mjs";

test("the first answer says where it is, the greeting does not", async (t) => {
  const { client, greeted } = start(t);
  const socket = await greeted();
  socket.says({ heartbeat: "p-idle" });
  assert.equal(client.position, null);
  socket.answers(NAMES, { position: "p0" });
  assert.equal(client.position, "p0");
});

test("events, heartbeats and gaps move it", async (t) => {
  const { client, socket, of } = await connected(t);
  const seen = [];
  for (const type of ["event", "gap"]) {
    client.addEventListener(type, () => seen.push(client.position));
  }
  socket.publishes("p1");
  assert.equal(client.position, "p1");
  socket.says({ heartbeat: "p2" });
  assert.equal(client.position, "p2");
  socket.says({ gap: "the broker was away", position: "p3" });
  assert.equal(client.position, "p3");
  assert.deepEqual(of("gap"), [{ why: "the broker was away", position: "p3" }]);
  assert.deepEqual(seen, ["p0", "p2"], "listeners come first");
});

test("it comes back with since, in the first frame only", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.publishes("p1");
  socket.ends();
  const next = await greeted();
  assert.deepEqual(next.sent, [{ groups: GROUPS, since: "p1" }]);
  next.answers(NAMES, { resumed: true, replayed: 0, position: "p2" });
  client.subscribe({ jobs: [1] });
  assert.deepEqual(next.sent.slice(1), [{ groups: { jobs: [1] } }]);
});

test("with nothing replayed it takes the answer's", async (t) => {
  const { client, socket, greeted, of } = await connected(t);
  socket.ends();
  (await greeted()).answers(NAMES, { resumed: true, replayed: 0, position: "p9" });
  assert.equal(client.position, "p9");
  assert.deepEqual(of("gap"), []);
});

test("with something replayed it keeps its own, and moves with each event", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.ends();
  const next = await greeted();
  next.answers(NAMES, { resumed: true, replayed: 2, position: "p9" });
  assert.equal(client.position, "p0");
  next.publishes("p4");
  assert.equal(client.position, "p4");
  next.ends();
  assert.equal((await greeted()).sent[0].since, "p4");
});

test("an answer before all is replayed does not move it, one behind that does", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.ends();
  const next = await greeted();
  next.answers(NAMES, { resumed: true, replayed: 2, position: "p9" });
  next.publishes("p4");
  client.subscribe(GROUPS);
  // Unasked: the replay is not over, or what was asked would not be looked at.
  next.says({ error: "access denied to channel job_events for resource id 42" });
  next.answers(["jobs-summary"], { position: "p10" });
  assert.equal(client.position, "p4");
  next.publishes("p5");
  client.subscribe(GROUPS);
  next.answers(NAMES, { position: "p11" });
  assert.equal(client.position, "p11");
});

test("a gap ends a replay", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.ends();
  const next = await greeted();
  next.answers(NAMES, { resumed: true, replayed: 2, position: "p9" });
  next.says({ gap: "older than is kept", position: "p10" });
  client.subscribe(GROUPS);
  next.answers(NAMES, { position: "p11" });
  assert.equal(client.position, "p11");
});

test("a heartbeat before the answer is not its position", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.ends();
  const next = await greeted();
  next.says({ heartbeat: "p9" });
  assert.equal(client.position, "p0");
});

test("what cannot be resumed is a gap, and is told before it moves", async (t) => {
  const { client, socket, greeted, of } = await connected(t);
  socket.ends();
  const next = await greeted();
  next.answers(NAMES, { resumed: false, replayed: 0, position: "p9" });
  next.says({ heartbeat: "p9" });
  assert.equal(client.position, "p0");
  next.ends();
  const third = await greeted();
  assert.equal(third.sent[0].since, "p0");
  third.answers(NAMES, { resumed: false, replayed: 0, position: "p10" });
  third.says({ gap: "another process", position: "p10" });
  assert.deepEqual(of("gap"), [{ why: "another process", position: "p10" }]);
  assert.equal(client.position, "p10");
  third.says({ heartbeat: "p11" });
  assert.equal(client.position, "p11");
});

test("a gap before the answer is told, and moves nothing", async (t) => {
  const { client, socket, greeted, of } = await connected(t);
  socket.ends();
  const next = await greeted();
  next.says({ gap: "the broker was away", position: "p9" });
  assert.equal(of("gap").length, 1);
  assert.equal(client.position, "p0");
});

test("a page goes on where the one before was", async (t) => {
  const { client, greeted, of } = start(t, { since: "p7" });
  assert.equal(client.position, "p7");
  const socket = await greeted();
  assert.deepEqual(socket.sent, [{ groups: GROUPS, since: "p7" }]);
  socket.answers(NAMES, { resumed: true, replayed: 1, position: "p9" });
  socket.publishes("p8");
  assert.equal(client.position, "p8");
  assert.deepEqual(of("gap"), []);
});

test("an empty position is none", async (t) => {
  const { client, greeted } = start(t, { since: "" });
  assert.equal(client.position, null);
  assert.deepEqual((await greeted()).sent, [{ groups: GROUPS }]);
});

test("a frame that cannot be read is a gap", async (t) => {
  const { client, socket, of } = await connected(t);
  socket.writes('{"group": "jobs-summary", "position": "p1", "event": ');
  socket.writes(new ArrayBuffer(3));
  socket.writes("null");
  assert.deepEqual(of("gap"), Array(3).fill({ why: "a frame could not be read", position: "p0" }));
  assert.equal(client.position, "p0");
});

test("a listener that closes has had its event or its gap", async (t) => {
  const { client, socket, sockets } = await connected(t);
  client.addEventListener("event", () => client.close());
  client.addEventListener("gap", () => client.close());
  socket.publishes("p1");
  assert.equal(client.position, "p1");
  socket.publishes("p2");
  assert.equal(client.position, "p1", "nothing comes behind");
  client.connect();
  await new Promise((resolve) => setImmediate(resolve));
  const next = sockets.at(-1);
  next.accept();
  assert.equal(next.sent[0].since, "p1");
  next.answers(NAMES, { resumed: true, replayed: 0, position: "p2" });
  next.says({ gap: "g", position: "p3" });
  assert.equal(client.position, "p3");
});

test("frames of later versions are ignored", async (t) => {
  const { client, socket, of } = await connected(t);
  socket.says({ presence: 3 });
  assert.equal(client.position, "p0");
  assert.deepEqual([...of("event"), ...of("gap"), ...of("error")], []);
});
