// What TypeScript is to accept of the declarations, and what not. Never executed: tsc reads it.

import { type Groups, type State, type Subscribed } from "../../towerws/console/towerws.js";
import { TowerWS } from "../../towerws/console/towerws.js";

const groups: Groups = { jobs: ["summary"], job_events: [42] };
const client = new TowerWS("/websocket/", {
  groups,
  since: sessionStorage.getItem("position"),
  getToken: async () => (await fetch("/token")).text(),
  xrftoken: () => document.cookie,
  WebSocket,
  maxDelay: 10_000,
});

client.addEventListener("event", ({ detail: { group, payload, position } }) => {
  const name: string | null = group;
  const status: string = payload.status;
  sessionStorage.setItem(name ?? status, position ?? "");
});
client.addEventListener("gap", ({ detail }) => detail.why.length);
client.addEventListener("error", ({ detail }) => detail.group?.length);
client.addEventListener("state", function ({ detail }) {
  const seconds: number | null = detail.delay && detail.delay / 1000;
  const state: State = this.state;
  return seconds ?? state;
});
client.addEventListener("of others", (event: Event) => event.type);
const subscribed: Promise<Subscribed> = client.subscribe({ jobs: [1] });
subscribed.then(({ refused }) => refused.join());
client.connect();
client.close();

// @ts-expect-error
client.position = "p";
// @ts-expect-error
client.subscribe({ jobs: "summary" });
// @ts-expect-error
client.addEventListener("gap", ({ detail }) => detail.payload);
// @ts-expect-error
new TowerWS("/websocket/", { reconnect: true });
// @ts-expect-error
new TowerWS();
