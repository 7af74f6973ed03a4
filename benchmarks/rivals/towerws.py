"""towerws itself, with RabbitMQ in front of it, or with its embedded source.

Through RabbitMQ in three variants, to see what replay costs: as it is, for clients of AWX; without
a history; and for clients that hear positions.
"""

import json
import platform
import sys
from collections.abc import Collection, Sequence
from importlib.metadata import version

from benchmarks import websocket
from benchmarks.measure import LOAD_CORE, SERVER_CORE, on_core
from benchmarks.nodes import broker_process, start_node
from benchmarks.publishers import AMQPPublisher, HTTPPublisher
from benchmarks.rivals import WORKS, Publisher, Step
from tests.integration.rabbitmq import RabbitMQNode
from tests.integration.server import ServerProcess

_EXCHANGE = "towerws.events"

#: The subprotocol of the profile with positions.
_V1 = "towerws.v1"

#: The variants by their keys, and the one that the others are compared with.
NO_HISTORY, AS_IT_IS, WITH_POSITIONS = VARIANTS = ("towerws-no-history", "towerws", "towerws-v1")

_NAMES = {
    NO_HISTORY: "towerws through RabbitMQ, no history",
    AS_IT_IS: "towerws through RabbitMQ",
    WITH_POSITIONS: "towerws through RabbitMQ, profile towerws.v1",
}


def group_name(group: int) -> str:
    """Name a group."""
    return f"job_events-{group}"


def subscription(group: int, *, positions: bool = False) -> Step:
    """Subscribe as AWX's clients do.

    Args:
        group: The group's number.
        positions: Insist on an answer that has a position: the profile is another one else.
    """
    request = json.dumps({"groups": {"job_events": [group]}}).encode()
    until = b'], "position": "' if positions else b"groups_current"
    return Step(websocket.client_frame(request), until)


class Towerws:
    """A server on the servers' core, its broker on the load's."""

    pace = 20
    idle_connections = 10_000
    broker_counts = False

    def __init__(self, variant: str | None = AS_IT_IS) -> None:
        """Prepare; nothing is started.

        Args:
            variant: One of `VARIANTS`, through RabbitMQ; the embedded source if None.
        """
        broker = variant is not None
        self.name = _NAMES[variant] if variant is not None else "towerws, embedded source"
        self.key = variant or "towerws-embedded"
        self.way_in = "AMQP; a burst is one write" if broker else "HTTP POST; a burst is pipelined"
        compares_compression = variant in {AS_IT_IS, WITH_POSITIONS}
        self.works: Collection[str] = (*WORKS, *("large", "deflated") * compares_compression)
        self._with_broker = broker
        self._subprotocol = _V1 if variant == WITH_POSITIONS else ""
        self._options = ("--history-events", "0") if variant == NO_HISTORY else ()
        self._node: RabbitMQNode | None = None
        self._broker_version: tuple[str, ...] = ()
        self._process: ServerProcess | None = None
        self.port = 0

    @property
    def version(self) -> str:
        """Version of towerws and what it is made of."""
        parts = [f"{name} {version(name)}" for name in ("towerws", "Twisted", "autobahn")]
        return ", ".join([f"Python {platform.python_version()}", *parts, *self._broker_version])

    @property
    def server(self) -> Sequence[int]:
        """The one process."""
        assert self._process is not None
        return [self._process.pid]

    @property
    def broker(self) -> Sequence[int]:
        """RabbitMQ, if there is one."""
        return [] if self._node is None else broker_process(self._node)

    def start(self) -> None:
        """Start the broker and the server, as users do: ``python -m twisted towerws``."""
        if self._with_broker:
            self._node, node_version = start_node(LOAD_CORE)
            self._broker_version = (node_version,)
        command = (sys.executable, "-m", "twisted", "--log-level", "warn")
        self._process = ServerProcess(
            *("--max-connections", "0"),
            *self._options,
            broker=None if self._node is None else self._node.url,
            command=command,
        )
        self.port = self._process.port
        with on_core(SERVER_CORE):
            self._process.start()

    def stop(self) -> None:
        """End both."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._node is not None:
            self._node.stop()
            self._node = None

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Open the websocket and subscribe."""
        opening = websocket.opening(
            self.port,
            "/websocket/",
            protocol=self._subprotocol,
            extensions="permessage-deflate" if compressed else "",
        )
        return [opening, subscription(group, positions=bool(self._subprotocol))]

    def publisher(self) -> Publisher:
        """Publish as backends do."""
        if self._node is not None:
            return AMQPPublisher(self._node.port, _EXCHANGE, group_name)
        assert self._process is not None
        return HTTPPublisher(
            self._process.operations_port, lambda group: f"/emit/{group_name(group)}"
        )
