"""What the tests of `towerws.amqp_bridge` have in common."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, FakeConnect
from tests.fakes import FakeConnection
from tests.hubs import PROCESS, make_hub
from tests.metrics import read_sample
from tests.revoking import Revoking
from towerws.amqp.errors import ConnectFailed, ConnectionLost
from towerws.amqp_bridge import AMQPBridge, BridgeSettings
from towerws.core.broker_url import BrokerURL
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions
from towerws.core.subscriptions import Change
from towerws.feeds.classic import ClassicFeed, ClassicSettings
from towerws.feeds.interfaces import Feed

REFUSED = ConnectFailed("the connection to the broker failed: refused")
LOST = ConnectionLost("the broker closed the connection without saying why")


class BridgeCase(SynchronousTestCase):
    """A test with a bridge, and a classic feed, between a hub and a broker that are both at hand.

    Attributes:
        hosts: The broker's.
        linger: Seconds for which groups linger, and how many do.
        attempts: How often it tried to connect.
        delays: The numbers of the attempts before which it waited.
        resumed: How often it said that it came into service.
        revoking: What takes revocations.
    """

    hosts = "one,two:5673"
    linger = 0.0, 10

    def setUp(self) -> None:
        """Put a bridge under a hub; it is not started."""
        self.clock = Clock()
        self.metrics = Metrics()
        positions = LocalPositions(PROCESS)
        self.hub = make_hub(
            self.metrics, positions=positions, seconds=self.clock.seconds, is_partial=True
        )
        self.revoking = Revoking(self.metrics, self.clock)
        self.connect = FakeConnect()
        seconds, most = self.linger
        self.feed = ClassicFeed(
            self.hub,
            positions,
            ClassicSettings("events", prefetch=40, linger=seconds, max_lingering=most),
            self.metrics,
            self.clock,
            revocations=self.revoking.revocations,
        )
        settings = BridgeSettings(exchange="events", max_event=1000)
        self.bridge = self.make_bridge(self.feed, settings, self.metrics)
        self.hub.attach(self.bridge)
        self.addCleanup(self.bridge.stopService)
        self.attempts = self.connect.attempts
        self.delays: list[int] = []
        self.resumed = 0
        self.bridge._retry_delay = self._delay

    def make_bridge(
        self, feed: Feed, settings: BridgeSettings, metrics: Metrics, *, emits: bool = True
    ) -> AMQPBridge:
        """Make a bridge to the same broker."""
        return AMQPBridge(
            BrokerURL.parse(f"amqp://user:s3cret@{self.hosts}/"),
            feed,
            settings,
            metrics,
            self.clock,
            on_resumed=self._resumed,
            emits=emits,
            connect=self.connect,
        )

    def _resumed(self) -> None:
        self.resumed += 1

    def _delay(self, attempt: int) -> float:
        self.delays.append(attempt)
        return 1.0

    def accept(self, *held: str) -> FakeClient:
        """Let the present attempt succeed with a broker that does not answer some requests."""
        client = FakeClient(self.clock, held)
        self.attempts[-1].outcome.callback(client)
        return client

    def start(self, *held: str) -> FakeClient:
        """Start the bridge and connect it."""
        self.bridge.startService()
        return self.accept(*held)

    def consuming(self) -> FakeClient:
        """Give the client that consumes now."""
        client: Any = self.bridge._client
        assert isinstance(client, FakeClient)
        return client

    def subscribe(self, *groups: str) -> tuple[FakeConnection, list[Change]]:
        """Let a client subscribe; give it, and the list that tells when that is in force."""
        connection = FakeConnection()
        in_force: list[Change] = []
        self.hub.subscribe(connection, groups, in_force.append)
        return connection, in_force

    def counted(self, name: str) -> float:
        """Read a number off the metrics page; see `read_sample`."""
        return read_sample(self.metrics, name)
