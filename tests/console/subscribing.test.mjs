/** What is sent when, what is answered, and who is told. */

import assert from "node:assert/strict";
import test from "node:test";

import { GROUPS, NAMES, URL, connected, settle, start } from "./scene.mjs";

const OTHERS = { jobs: ["status_changed"] };
const OTHER_NAMES = ["jobs-status_changed"];

test("offers the profiles, and subscribes when it is greeted", async (t) => {
  const { client, sockets, greeted, states } = start(t);
  assert.equal(sockets.length, 0, "listeners are added first");
  const socket = await greeted();
  assert.equal(socket.url, URL);
  assert.deepEqual(socket.protocols, ["towerws.v1", "towerws.awx"]);
  assert.deepEqual(socket.sent, [{ groups: GROUPS }]);
  assert.equal(client.state, "connecting");
  socket.answers(NAMES, { position: "p0" });
  assert.equal(client.state, "connected");
  assert.deepEqual(states(), ["connected"]);
});

test("events come with group and payload", async (t) => {
  const { socket, of } = await connected(t);
  socket.publishes("p1", { status: "ok" });
  assert.deepEqual(of("event"), [
    { group: "jobs-summary", payload: { status: "ok" }, position: "p1" },
  ]);
});

test("a subscription is promised until it is in force", async (t) => {
  const { client, socket } = await connected(t);
  const subscribed = client.subscribe({ jobs: ["status_changed"], job_events: ["7"] });
  assert.deepEqual(socket.sent.at(-1), { groups: { jobs: ["status_changed"], job_events: ["7"] } });
  socket.says({ error: "access denied to channel job_events for resource id 7" });
  socket.says({
    ...{ groups_current: OTHER_NAMES, groups_left: NAMES, groups_joined: OTHER_NAMES },
    position: "p1",
  });
  assert.deepEqual(await subscribed, {
    ...{ current: OTHER_NAMES, joined: OTHER_NAMES, left: NAMES, refused: ["job_events-7"] },
  });
  assert.equal(client.position, "p1");
});

test("a refused group is told", async (t) => {
  const { socket, of } = await connected(t);
  const message = "access denied to channel job_events for resource id 42";
  socket.says({ error: message });
  assert.deepEqual(of("error"), [{ message, group: "job_events-42" }]);
});

test("what is asked while an answer is due is sent once, the last of it", async (t) => {
  const { client, socket } = await connected(t);
  const first = client.subscribe(OTHERS);
  const second = client.subscribe({ jobs: [1] });
  const third = client.subscribe({ jobs: [2] });
  await assert.rejects(second, { name: "AbortError" });
  assert.equal(socket.sent.length, 2);
  socket.answers(OTHER_NAMES, { position: "p1" });
  assert.deepEqual((await first).current, OTHER_NAMES);
  assert.deepEqual(socket.sent.slice(2), [{ groups: { jobs: [2] } }]);
  socket.answers(["jobs-2"], { position: "p2" });
  assert.deepEqual((await third).current, ["jobs-2"]);
  assert.equal(socket.sent.length, 3);
});

test("what is asked while there is no connection is sent once", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.ends();
  const first = client.subscribe({ jobs: [1] });
  const second = client.subscribe(OTHERS);
  const next = await greeted();
  assert.deepEqual(next.sent, [{ groups: OTHERS, since: "p0" }]);
  next.answers(OTHER_NAMES, { resumed: true, replayed: 0, position: "p9" });
  await assert.rejects(first, { name: "AbortError" });
  await second;
});

test("what was not answered is asked again", async (t) => {
  const { client, socket, greeted } = await connected(t);
  const subscribed = client.subscribe(OTHERS);
  socket.ends();
  const next = await greeted();
  assert.deepEqual(next.sent, [{ groups: OTHERS, since: "p0" }]);
  next.answers(OTHER_NAMES, { resumed: true, replayed: 0, position: "p9" });
  await subscribed;
});

test("what was not answered and is wanted no more is rejected", async (t) => {
  const { client, socket, greeted } = await connected(t);
  const first = client.subscribe(OTHERS);
  client.subscribe({ jobs: [1] });
  socket.ends();
  await assert.rejects(first, { name: "AbortError" });
  assert.deepEqual((await greeted()).sent, [{ groups: { jobs: [1] }, since: "p0" }]);
});

test("an answer that nobody asked for answers nothing", async (t) => {
  const { client, socket } = await connected(t);
  let isInForce = false;
  client.subscribe({ ...GROUPS, ...OTHERS }).then(() => (isInForce = true));
  // A group was taken away before the server saw what it was asked.
  socket.says({ error: "access denied to channel job_events for resource id 42" });
  socket.says({
    ...{ groups_current: ["jobs-summary"], groups_left: ["job_events-42"], groups_joined: [] },
    position: "p1",
  });
  await settle();
  assert.equal(isInForce, false);
  assert.equal(client.position, "p0");
  // It may hear it again by now.
  socket.answers(["job_events-42", ...OTHER_NAMES], { position: "p2" });
  await settle();
  assert.equal(isInForce, true);
});

test("nor does one that has what was asked, and more", async (t) => {
  const { client, greeted } = start(t, { groups: { jobs: [1, 2, 3] } });
  const socket = await greeted();
  socket.answers(["jobs-1", "jobs-2", "jobs-3"], { position: "p0" });
  let isInForce = false;
  client.subscribe({ jobs: [1] }).then(() => (isInForce = true));
  socket.answers(["jobs-1", "jobs-2"], { position: "p1" });
  await settle();
  assert.equal(isInForce, false);
  socket.answers(["jobs-1"], { position: "p2" });
  await settle();
  assert.equal(isInForce, true);
});

test("a refusal of all leaves what was", async (t) => {
  const { client, socket, of, greeted } = await connected(t);
  const subscribed = client.subscribe({ jobs: ["ü"] });
  socket.says({ error: "'ü' is no name" });
  await assert.rejects(subscribed, { message: "'ü' is no name" });
  assert.deepEqual(of("error"), [{ message: "'ü' is no name", group: null }]);
  assert.equal(client.state, "connected");
  socket.ends();
  assert.deepEqual((await greeted()).sent, [{ groups: GROUPS, since: "p0" }]);
});

test("a refusal when it is back leads to what was in force", async (t) => {
  const { client, socket, greeted } = await connected(t);
  socket.ends();
  const subscribed = client.subscribe({ jobs: ["ü"] });
  const next = await greeted();
  next.says({ error: "'ü' is no name" });
  await assert.rejects(subscribed, { message: "'ü' is no name" });
  assert.deepEqual(next.sent.slice(1), [{ groups: GROUPS, since: "p0" }]);
});

test("a refusal of what was in force is tried again later", async (t) => {
  const { client, socket, greeted } = await connected(t, { xrftoken: "t0k" });
  socket.ends();
  const next = await greeted();
  next.says({ error: "access denied to channel" });
  assert.ok(next.isClosed);
  assert.equal(client.state, "waiting");
});

test("a listener that closes when it is refused stays closed", async (t) => {
  const { client, socket, greeted, states } = await connected(t);
  client.addEventListener("error", () => client.close());
  socket.ends();
  (await greeted()).says({ error: "access denied to channel" });
  assert.deepEqual(states(), ["connected", "waiting", "connecting", "closed"]);
});

test("after a refusal of the first one another can be asked for", async (t) => {
  const { client, greeted, of } = start(t, { since: "p0" });
  const socket = await greeted();
  socket.says({ error: "access denied to channel" });
  assert.equal(of("error").length, 1);
  client.subscribe(OTHERS);
  assert.deepEqual(socket.sent.slice(1), [{ groups: OTHERS, since: "p0" }]);
});

test("the CSRF token goes along, each time as it is", async (t) => {
  let count = 0;
  const { client, socket } = await connected(t, { xrftoken: () => `t${(count += 1)}` });
  client.subscribe(OTHERS);
  assert.deepEqual(socket.sent, [
    { groups: GROUPS, xrftoken: "t1" },
    { groups: OTHERS, xrftoken: "t2" },
  ]);
});

test("groups are copied", async (t) => {
  const { client, socket, greeted } = await connected(t);
  const groups = { jobs: [1] };
  client.subscribe(groups);
  groups.jobs.push(2);
  socket.ends();
  assert.deepEqual((await greeted()).sent[0].groups, { jobs: [1] });
});

test("what is no groups is refused at once", async (t) => {
  const { client } = await connected(t);
  for (const wrong of [null, "jobs", { jobs: "summary" }, { jobs: [1.5] }, { jobs: [null] }]) {
    assert.throws(() => client.subscribe(wrong), TypeError);
  }
});
