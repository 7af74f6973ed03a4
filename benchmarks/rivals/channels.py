"""Daphne and Django Channels, what AWX runs, with each of three channel layers."""

import shutil
from collections.abc import Collection, Sequence

from benchmarks import websocket
from benchmarks.child import Child
from benchmarks.environment import PYTHON, ROOT, require_packages
from benchmarks.measure import LOAD_CORE, SERVER_CORE, on_core
from benchmarks.nodes import broker_process, start_node
from benchmarks.publishers import PipePublisher
from benchmarks.rivals import WORKS, Publisher, Step, Unavailable
from benchmarks.rivals.towerws import subscription
from tests.integration.loopback import free_ports, listens
from tests.integration.rabbitmq import RabbitMQNode

LAYERS = ("redis", "redis-pubsub", "rabbitmq")

_NAMES = {
    "redis": "channels_redis (AWX's)",
    "redis-pubsub": "channels_redis pub/sub",
    "rabbitmq": "channels_rabbitmq",
}
_PACKAGES = {
    "redis": ("channels-redis", "redis"),
    "redis-pubsub": ("channels-redis", "redis"),
    "rabbitmq": ("channels-rabbitmq",),
}


class Channels:
    """One Daphne on the servers' core, and its broker on the load's."""

    pace = 2
    idle_connections = 1_000
    works: Collection[str] = WORKS
    way_in = "group_send in a process of its own; a burst is 16 in a row"

    def __init__(self, layer: str) -> None:
        """Choose a port.

        Args:
            layer: One of `LAYERS`.
        """
        self.name = f"Daphne, {_NAMES[layer]}"
        self.key = f"daphne-{layer}"
        # Redis keeps the members of each group, and works through them for each event.
        self.broker_counts = layer == "redis"
        self.version = ""
        (self.port,) = free_ports(1)
        self._layer = layer
        self._daphne: Child | None = None
        self._redis: Child | None = None
        self._node: RabbitMQNode | None = None
        self._environment: dict[str, str] = {}

    @property
    def server(self) -> Sequence[int]:
        """Daphne."""
        assert self._daphne is not None
        return [self._daphne.pid]

    @property
    def broker(self) -> Sequence[int]:
        """Redis or RabbitMQ."""
        if self._node is not None:
            return broker_process(self._node)
        assert self._redis is not None
        return [self._redis.pid]

    def start(self) -> None:
        """Start the broker and Daphne."""
        versions = require_packages("channels", "daphne", *_PACKAGES[self._layer], "Django")
        if self._layer == "rabbitmq":
            self._node, broker = start_node(LOAD_CORE)
            url = self._node.url
        else:
            url, broker = self._start_redis()
        self.version = f"{versions}, {broker}"
        self._environment = {
            "BENCH_LAYER": self._layer,
            "BENCH_URL": url,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "benchmarks.rivals.channels_site",
        }
        self._daphne = Child(self.key)
        address = ("--bind", "127.0.0.1", "--port", str(self.port), "--verbosity", "0")
        with on_core(SERVER_CORE):
            self._daphne.start(
                [
                    str(PYTHON),
                    "-m",
                    "daphne",
                    *address,
                    "benchmarks.rivals.channels_site:application",
                ],
                environment=self._environment,
                ready=lambda: listens(self.port),
            )

    def _start_redis(self) -> tuple[str, str]:
        program = shutil.which("redis-server")
        if program is None:
            raise Unavailable("redis-server is not installed")
        (port,) = free_ports(1)
        self._redis = Child("redis")
        with on_core(LOAD_CORE):
            self._redis.start(
                [
                    *(program, "--port", str(port), "--bind", "127.0.0.1"),
                    *("--save", "", "--appendonly", "no", "--dir", str(self._redis.directory)),
                ],
                ready=lambda: listens(port),
            )
        told = self._redis.last_words().partition("Redis version=")[2].partition(",")[0]
        return f"redis://127.0.0.1:{port}/0", f"Redis {told}"

    def stop(self) -> None:
        """End Daphne, then the broker."""
        if self._daphne is not None:
            self._daphne.stop()
            self._daphne = None
        if self._redis is not None:
            self._redis.stop()
            self._redis = None
        if self._node is not None:
            self._node.stop()
            self._node = None

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Open the websocket and subscribe, as AWX's clients do."""
        return [websocket.opening(self.port, "/websocket/"), subscription(group)]

    def publisher(self) -> Publisher:
        """Start a process that sends to groups, as AWX's backend does."""
        command = [str(PYTHON), "-m", "benchmarks.rivals.channels_publisher"]
        return PipePublisher(command, self._environment)
