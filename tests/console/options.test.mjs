/** What a client may be made of, and what its declarations say. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { TowerWS } from "../../towerws/console/towerws.js";
import { URL as WEBSOCKET_URL, mockTime, settle } from "./scene.mjs";

class WebSocket {
  static urls = [];

  constructor(url) {
    WebSocket.urls.push(url);
  }

  close() {}
}

const make = (options, url = WEBSOCKET_URL) => new TowerWS(url, { WebSocket, ...options });

test("what cannot be is refused at once", () => {
  for (const [options, sentence] of [
    [{ profile: "v2" }, /^profile is/],
    [{ since: "p0" }, /only with groups$/],
    [{ since: 7, groups: {} }, /^since is a position/],
    [{ since: "p".repeat(129), groups: {} }, /^since is a position/],
    [{ token: "a b" }, /^the token has/],
    [{ token: 7 }, /^the token has/],
    [{ groups: { jobs: "summary" } }, /^groups are/],
    [{ minDelay: 0 }, /^minDelay/],
    [{ minDelay: 2, maxDelay: 1 }, /^minDelay/],
    [{ maxDelay: NaN }, /^minDelay/],
  ]) {
    assert.throws(() => make(options), { message: sentence });
  }
  assert.throws(() => make({}, "ftp://host/"), { message: /no URL of a websocket$/ });
  assert.throws(() => make({}, "/websocket/"), TypeError);
});

test("without a WebSocket it says what to do", (t) => {
  const found = globalThis.WebSocket;
  delete globalThis.WebSocket;
  t.after(() => found && (globalThis.WebSocket = found));
  assert.throws(() => new TowerWS(WEBSOCKET_URL), { message: /Node has from 22 on.*option WebS/ });
});

test("without the option it takes the global one", async (t) => {
  const found = globalThis.WebSocket;
  globalThis.WebSocket = WebSocket;
  t.after(() => (globalThis.WebSocket = found));
  mockTime(t);
  const before = WebSocket.urls.length;
  const client = new TowerWS(WEBSOCKET_URL);
  await settle();
  client.close();
  assert.equal(WebSocket.urls.length, before + 1);
});

test("URLs may be relative in a page, and of HTTP", async (t) => {
  mockTime(t);
  t.after(() => delete globalThis.location);
  for (const [page, url, expected] of [
    ["https://example.com/a/b", "/websocket/", "wss://example.com/websocket/"],
    ["http://example.com:80/a", "ws?x=1#y", "ws://example.com/ws?x=1"],
    [undefined, "http://[::1]:8051/websocket/", "ws://[::1]:8051/websocket/"],
    [undefined, new URL("wss://host/"), "wss://host/"],
  ]) {
    globalThis.location = page && { href: page };
    const client = make({}, url);
    await settle();
    client.close();
    assert.equal(WebSocket.urls.at(-1), expected);
  }
});

test("a WebSocket that cannot be made closes it, and says why", async (t) => {
  class Insecure {
    constructor() {
      throw new DOMException("insecure from https:", "SecurityError");
    }
  }
  mockTime(t);
  const client = make({ WebSocket: Insecure });
  const told = [];
  client.addEventListener("state", ({ detail }) => told.push(detail.state));
  client.addEventListener("error", ({ detail }) => {
    told.push(detail.message);
    client.close();
  });
  await settle();
  assert.deepEqual(told, ["insecure from https:", "closed"]);
});

test("the declarations name all that is public", async () => {
  const declarations = await readFile(
    new URL("../../towerws/console/towerws.d.ts", import.meta.url),
    "utf8",
  );
  const [, body] = declarations.split("export class TowerWS extends EventTarget {");
  const members = body.matchAll(/^ {2}(?:readonly )?(\w+)(?=[(:<])/gm);
  const declared = new Set([...members].map(([, name]) => name));
  const inherited = ["addEventListener", "removeEventListener"];
  const own = Object.getOwnPropertyNames(TowerWS.prototype);
  assert.deepEqual([...declared].sort(), [...own, ...inherited].sort());
});
