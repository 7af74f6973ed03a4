"""Crossbar, the WAMP router on Twisted and Autobahn."""

import json
from collections.abc import Collection, Sequence

from benchmarks import websocket
from benchmarks.child import Child
from benchmarks.environment import PYTHON, require_packages
from benchmarks.measure import SERVER_CORE, on_core
from benchmarks.publishers import WAMPPublisher, wamp_session
from benchmarks.rivals import WORKS, Publisher, Step
from benchmarks.rivals.one_child import OneChild
from tests.integration.loopback import free_ports, listens

_PATH = "/ws"


def _topic(group: int) -> str:
    return f"job_events.{group}"


def _configuration(port: int) -> str:
    permission = {
        "uri": "",
        "match": "prefix",
        "allow": {"publish": True, "subscribe": True, "call": False, "register": False},
    }
    transport = {
        "type": "websocket",
        "endpoint": {"type": "tcp", "port": port, "interface": "127.0.0.1", "backlog": 1024},
        "serializers": ["json"],
    }
    realm = {"name": "realm1", "roles": [{"name": "anonymous", "permissions": [permission]}]}
    router = {"type": "router", "realms": [realm], "transports": [transport]}
    return json.dumps({"version": 2, "workers": [router]})


class Crossbar(OneChild):
    """A node with one router worker, which does all; the node's controller idles."""

    name = "Crossbar (1 router worker, WAMP JSON)"
    key = "crossbar"
    way_in = "WAMP; a burst is one write"
    pace = 20
    idle_connections = 5_000
    works: Collection[str] = WORKS

    def __init__(self) -> None:
        """Choose a port."""
        super().__init__()
        (self.port,) = free_ports(1)

    def start(self) -> None:
        """Start the node."""
        self.version = require_packages("crossbar", "Twisted", "autobahn")
        self._child = Child("crossbar")
        directory = self._child.directory
        (directory / "config.json").write_text(_configuration(self.port))
        with on_core(SERVER_CORE):
            self._child.start(
                [
                    *(str(PYTHON.with_name("crossbar")), "start", "--cbdir", str(directory)),
                    *("--loglevel", "warn"),
                ],
                ready=lambda: listens(self.port),
            )

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Join the realm and subscribe."""
        request = json.dumps([32, 1, {}, _topic(group)]).encode()
        return [
            *wamp_session(self.port, _PATH, "subscriber"),
            Step(websocket.client_frame(request), b"[33,"),
        ]

    def publisher(self) -> Publisher:
        """Join the realm as a publisher."""
        return WAMPPublisher(self.port, _PATH, _topic)
