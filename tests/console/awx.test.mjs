/** Servers without positions: what was missed cannot be made up for, and is told. */

import assert from "node:assert/strict";
import test from "node:test";

import { GROUPS, NAMES, connected, start } from "./scene.mjs";

test("events are the payloads, whatever they look like", async (t) => {
  const { greeted, of, client } = start(t);
  const socket = await greeted("towerws.awx");
  socket.answers();
  assert.equal(client.state, "connected");
  const payloads = [{ group_name: "jobs" }, { error: "e", job: 1 }, { event: 1 }, { close: true }];
  for (const payload of [...payloads, { accept: true }, { heartbeat: "x" }, { reconnect: {} }]) {
    socket.says(payload);
    assert.deepEqual(of("event").at(-1), { group: null, payload, position: null });
  }
  assert.equal(client.position, null);
  assert.deepEqual(of("gap"), []);
});

test("who comes back has a gap", async (t) => {
  const { greeted, of, client } = start(t);
  (await greeted("towerws.awx")).answers();
  client.subscribe(GROUPS);
  assert.deepEqual(of("gap"), []);
  (await greeted("towerws.awx")).ends(1012);
  const next = await greeted("towerws.awx");
  assert.deepEqual(next.sent, [{ groups: GROUPS }]);
  assert.deepEqual(of("gap"), []);
  next.answers();
  assert.deepEqual(of("gap"), [{ why: "the server could not resume", position: null }]);
  client.subscribe(GROUPS);
  next.answers();
  assert.equal(of("gap").length, 1, "once");
});

test("who has heard nothing has missed nothing", async (t) => {
  const { greeted, of } = start(t, { groups: {} });
  const socket = await greeted("towerws.awx");
  socket.answers([]);
  socket.ends();
  (await greeted("towerws.awx")).answers([]);
  assert.deepEqual(of("gap"), []);
});

test("a position is of no use there, nor afterwards", async (t) => {
  const { client, socket, greeted, of } = await connected(t);
  socket.ends();
  const replaying = await greeted();
  replaying.answers(NAMES, { resumed: true, replayed: 2, position: "p5" });
  replaying.ends();
  const older = await greeted("towerws.awx");
  assert.deepEqual(older.sent, [{ groups: GROUPS }]);
  older.answers();
  assert.equal(client.position, null);
  assert.equal(of("gap").length, 1);
  older.ends();
  const newer = await greeted();
  assert.deepEqual(newer.sent, [{ groups: GROUPS }]);
  newer.answers(NAMES, { position: "p9" });
  assert.equal(of("gap").length, 2);
  assert.equal(client.position, "p9");
});

test("a page that was somewhere has a gap", async (t) => {
  const { greeted, of } = start(t, { since: "p7" });
  (await greeted("towerws.awx")).answers();
  assert.equal(of("gap").length, 1);
});

test("who closes when it is back is told of no gap", async (t) => {
  const { client, greeted, of } = start(t);
  const socket = await greeted("towerws.awx");
  socket.answers();
  socket.ends();
  client.addEventListener("state", ({ detail }) => detail.state === "connected" && client.close());
  (await greeted("towerws.awx")).answers();
  assert.equal(client.state, "closed");
  assert.deepEqual(of("gap"), []);
});

test("whatever the answer says is in force", async (t) => {
  const { client, greeted } = start(t);
  (await greeted("towerws.awx")).answers(["jobs-of somebody"]);
  assert.equal(client.state, "connected");
});

test("no heartbeat is expected", async (t) => {
  const { client, greeted, pass } = start(t);
  (await greeted("towerws.awx")).answers();
  await pass(3_600_000);
  assert.equal(client.state, "connected");
});

test("profile awx offers nothing, but with a token", async (t) => {
  const { sockets, greeted, of } = start(t, { profile: "awx" });
  const socket = await greeted("");
  assert.deepEqual(sockets[0].protocols, []);
  socket.answers();
  socket.says({ group_name: "jobs" });
  assert.deepEqual(of("event")[0].payload, { group_name: "jobs" });
});

test("profile awx with a token offers the one that goes with it", async (t) => {
  const { sockets, greeted } = start(t, { profile: "awx", token: "abc" });
  await greeted("towerws.awx");
  assert.deepEqual(sockets[0].protocols, ["towerws.awx", "bearer.abc"]);
});
