"""What the tests of stream mode with RabbitMQ have in common."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pika.exceptions import UnroutableError
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.fakes import FakeConnection
from tests.hubs import make_hub
from tests.integration.amqp import PATIENCE, BrokerTestCase
from tests.integration.backend import Backend
from tests.metrics import read_sample
from tests.revoking import Revoking
from towerws.amqp.connect import connect
from towerws.amqp.hosts import Hosts
from towerws.amqp_bridge import AMQPBridge, BridgeSettings
from towerws.core.archive import Archived
from towerws.core.broker_url import BrokerURL
from towerws.core.history import Bounds
from towerws.core.metrics import Metrics
from towerws.core.positions import Mark, StreamPositions
from towerws.feeds.archive import ArchiveSettings, StreamArchive, StreamReading
from towerws.feeds.stream import StreamFeed, StreamSettings


class StreamNode:
    """A node in stream mode, without its websockets.

    Attributes:
        connection: Listens to the groups ``jobs-1`` and ``jobs-2``.
        hub: Where it does.
        archive: Reads what is not in the hub's history.
        bridge: Keeps the connection.
        revoking: What takes revocations.
    """

    def __init__(
        self,
        url: BrokerURL,
        settings: StreamSettings,
        reactor: Any,
        bounds: Bounds | None = None,
        archive: ArchiveSettings | None = None,
    ) -> None:
        """Start it."""
        self.metrics = Metrics()
        self.hub = make_hub(
            self.metrics, positions=StreamPositions(), bounds=bounds, seconds=reactor.seconds
        )
        self.revoking = Revoking(self.metrics, reactor)
        self._reactor = reactor
        hosts, dial = Hosts(url.hosts), partial(connect, url, reactor=reactor)
        feed = StreamFeed(
            self.hub,
            settings,
            self.metrics,
            reactor,
            revocations=self.revoking.revocations,
            connect=dial,
            hosts=hosts,
        )
        self.bridge = AMQPBridge(
            url,
            feed,
            BridgeSettings(settings.exchange),
            self.metrics,
            reactor,
            on_resumed=lambda: None,
            emits=False,
        )
        self.archive = StreamArchive(
            settings.queue,
            self.hub.history,
            archive or ArchiveSettings(),
            self.metrics,
            reactor,
            connect=dial,
            hosts=hosts,
        )
        self.hub.attach(self.bridge)
        self.connection = FakeConnection()
        self.bridge.startService()

    @property
    def numbers(self) -> list[int]:
        """What the listener got: the number of each event."""
        return [json.loads(message)["n"] for message in self.connection.messages]

    async def in_service(self) -> None:
        """Wait until what is published from now on reaches the listener."""
        in_force: Deferred[Any] = Deferred()
        self.hub.subscribe(self.connection, ["jobs-1", "jobs-2"], in_force.callback)
        await in_force.addTimeout(PATIENCE, self._reactor)
        # Not within the call that brought it into service.
        await deferLater(self._reactor, 0)

    async def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until something has happened, for a bounded time."""
        until = self._reactor.seconds() + PATIENCE
        while not condition():
            if self._reactor.seconds() > until:
                raise AssertionError(f"it did not happen; the listener got {self.numbers}")
            await deferLater(self._reactor, 0.01)

    async def wait_for(self, numbers: list[int]) -> None:
        """Wait until the listener has got certain events, and no others before them."""
        await self.wait_until(lambda: len(self.numbers) >= len(numbers))
        if self.numbers != numbers:
            raise AssertionError(f"the listener got {self.numbers}, not {numbers}")

    def cut(self) -> None:
        """Lose the connection."""
        client: Any = self.bridge._client
        client.abort("the test cuts it")

    async def read(self, position: str, *groups: str) -> list[int] | None:
        """Read from a position in the archive, and give back the place."""
        asked: Deferred[Archived | None] = Deferred()
        reading = self.ask(position, asked, *groups)
        found = await asked.addTimeout(PATIENCE, self._reactor)
        reading.close()
        return None if found is None else [json.loads(each.payload)["n"] for each in found.events]

    def ask(self, position: str, answer: Deferred[Archived | None], *groups: str) -> StreamReading:
        """Begin to read from a position in the archive."""
        mark: Mark | None = self.hub.history.positions.parse(position)
        assert mark is not None
        return self.archive.read(mark, frozenset(groups or {"jobs-1"}), answer.callback)

    def counted(self, name: str) -> float:
        """Read a number off the metrics page; see `read_sample`."""
        return read_sample(self.metrics, name)


class StreamCase(BrokerTestCase):
    """A test with nodes and a stream of its own.

    Attributes:
        settings: The nodes'.
    """

    def begin(self, url: str) -> None:
        """Name the exchange and the stream after the test, and connect a backend."""
        self.url = BrokerURL.parse(url)
        self.settings = StreamSettings(self.id(), stream_bytes=1 << 24)
        self.backend = Backend(url, self.settings.exchange)
        self.addCleanup(self._remove)

    def _remove(self) -> None:
        self.backend.channel.queue_delete(self.settings.queue)
        self.backend.channel.exchange_delete(self.settings.exchange)
        self.backend.close()

    async def start_node(
        self, bounds: Bounds | None = None, archive: ArchiveSettings | None = None
    ) -> StreamNode:
        """Start a node that is stopped when the test ends, and wait until it is in service."""
        node = StreamNode(self.url, self.settings, self.reactor, bounds, archive)
        self.addCleanup(node.bridge.stopService)
        await node.in_service()
        return node

    def publish_numbers(self, *numbers: int, group: str = "jobs-1") -> None:
        """Publish numbered events, each confirmed, and not as one that had no queue to go to.

        For half a second after its start RabbitMQ has its bindings, but not yet its streams, and
        confirms what it drops.
        """
        channel, exchange = self.backend.channel, self.settings.exchange
        for number in numbers:
            body = b'{"n": %d}' % number
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    channel.basic_publish(exchange, group, body, mandatory=True)
                except UnroutableError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)
                else:
                    break
