"""The JavaScript client with the real server, in Chromium and in Node."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import jwt

from tests.console.node import NODES
from tests.integration.javascript import ScriptCase

#: A client that is cut off, one that goes on where it was, and one that cannot.
_RESUMING = """
const groups = {console: [1, "two"]};
const {client, seen, sockets} = open({groups});
const of = (type) => seen.filter((each) => each.type === type);
await until(() => client.state === "connected");
await act("emit", ["console-1", {number: 1}]);
await until(() => of("event").length === 1);
sockets[0].close();
await until(() => client.state === "waiting");
for (const number of [2, 3]) await act("emit", ["console-two", {number}]);
await act("emit", ["console-other", {number: 0}]);
await until(() => of("event").length === 3);
const change = await client.subscribe({console: ["two", "three"]});
await act("emit", ["console-three", {number: 4}]);
await until(() => of("event").length === 4);
client.close();

await act("emit", ["console-1", {number: 5}]);
const reloaded = open({groups, since: client.position});
await until(() => reloaded.seen.some(({type}) => type === "event"));
reloaded.client.close();

const foreign = open({groups, since: "0123456789abcdef-7"});
await until(() => foreign.seen.some(({type}) => type === "gap"));
const position = foreign.client.position;
await act("emit", ["console-1", {number: 6}]);
await until(() => foreign.client.position !== position);
foreign.client.close();
return {
    protocol: sockets[0].protocol,
    numbers: [...seen, ...reloaded.seen, ...foreign.seen]
        .flatMap(({type, payload}) => type === "event" ? [payload.number] : []),
    gaps: [of("gap").length, reloaded.seen.filter(({type}) => type === "gap").length],
    states: of("state").map(({state}) => state),
    connections: sockets.length,
    change,
};
"""

#: A client of profile awx, which is cut off.
_AWX = """
const {client, seen, sockets} = open({groups: {console: [1]}, profile: "awx"});
await until(() => client.state === "connected");
await act("emit", ["console-1", {number: 1}]);
await until(() => seen.some(({type}) => type === "event"));
sockets[0].close();
await until(() => seen.some(({type}) => type === "gap"));
await act("emit", ["console-1", {number: 2}]);
await until(() => seen.at(-1).type === "event");
client.close();
return seen.flatMap(({type, payload}) => type === "event" ? [payload] : type === "gap" ? type : []);
"""

#: A client whose server stalls; it comes back when the server goes on.
_STALLED = """
const {client, seen, sockets} = open({groups: {console: [1]}});
await until(() => client.state === "connected");
await act("stall");
await until(() => client.state === "waiting");
const {reason} = seen.at(-1);
await act("continue");
await act("emit", ["console-1", {number: 1}]);
await until(() => seen.some(({type}) => type === "event"));
client.close();
return [reason, seen.filter(({type}) => type === "gap").length];
"""

#: A client whose server ends in order.
_DRAINED = """
const {client, seen} = open({groups: {console: [1]}, minDelay: 20000});
await until(() => client.state === "connected");
const stopped = act("stop");
await until(() => client.state === "waiting");
client.close();
await stopped;
return seen.find(({state}) => state === "waiting");
"""

#: A client with a token that the server refuses, one with a new one, and one without any.
_CREDENTIALS = """
const refused = open({groups: {jobs: [1]}, token: "wr.on.g"});
const given = ["wr.on.g", "%s"], getToken = () => given.pop();
const renewed = open({groups: {jobs: [1], other: [2]}, token: "wr.on.g", getToken});
await until(() => renewed.client.state === "connected" && refused.client.state === "closed");
renewed.client.close();
return [
    refused.seen.filter(({type}) => type === "state").map(({state, code}) => [state, code]),
    refused.sockets.length, renewed.sockets.length, given.length,
    renewed.seen.flatMap(({type, message}) => type === "error" ? [message] : []),
];
"""


class ResumingTests(ScriptCase):
    """Nothing is lost, or it is told."""

    def _check(self, result: Any) -> None:
        self.assertIsInstance(result, dict, result)
        self.assertEqual(result["numbers"], [1, 2, 3, 4, 5, 6])
        self.assertEqual(result["gaps"], [0, 0])
        self.assertEqual(result["protocol"], "towerws.v1")
        states = ["connected", "waiting", "connecting", "connected", "closed"]
        self.assertEqual(result["states"], states)
        self.assertEqual(result["connections"], 2)
        self.assertEqual(
            result["change"],
            {
                "current": ["console-three", "console-two"],
                "joined": ["console-three"],
                "left": ["console-1"],
                "refused": [],
            },
        )

    def test_chromium(self) -> None:
        """In a page, which imports the client from its own server."""
        self.serve()
        self._check(self.run_in_chromium(_RESUMING))

    def test_node(self) -> None:
        """In Node: with its own WebSocket, and with one that is given."""
        self.serve()
        self._check(self.run_in_node(_RESUMING))
        self._check(self.run_in_node(_RESUMING, "--experimental-websocket", major=NODES[0]))

    def test_awx(self) -> None:
        """Without subprotocols there are no positions, and who comes back is told of a gap."""
        self.serve()
        self.assertEqual(self.run_in_chromium(_AWX), [{"number": 1}, "gap", {"number": 2}])


class ServerTests(ScriptCase):
    """What servers do to clients."""

    def test_stalled(self) -> None:
        """A server that is silent for too long is left, though the connection is still there."""

        def send(number: signal.Signals) -> None:
            os.kill(self.server.pid, number)

        self.actions["/stall"] = lambda _: send(signal.SIGSTOP)
        self.actions["/continue"] = lambda _: send(signal.SIGCONT)
        self.serve("--heartbeat=1")
        self.addCleanup(send, signal.SIGCONT)
        self.assertEqual(self.run_in_node(_STALLED), ["no sign of life", 0])

    def test_drained(self) -> None:
        """The server's own delay counts, not the client's."""
        self.actions["/stop"] = lambda _: self.server.stop()
        self.serve("--drain=1")
        told = self.run_in_node(_DRAINED)
        self.assertEqual(told["code"], 1012, told)
        self.assertLess(told["delay"], 20_000)

    def test_credentials(self) -> None:
        """Who is refused stays down, but for new credentials, which are asked for once."""
        key = Path(self.mktemp()).resolve()
        key.write_text("s3cret-" * 8, encoding="ascii")
        claims = {"sub": "7", "exp": time.time() + 600, "groups": ["jobs-*"]}
        self.serve(f"--auth=jwt:key={key}")
        self.assertEqual(
            self.run_in_node(_CREDENTIALS % jwt.encode(claims, "s3cret-" * 8)),
            [
                [["closed", 1000]],
                *(1, 2, 1),
                ["access denied to channel other for resource id 2"],
            ],
        )
