"""What the tests of `towerws.feeds.stream` have in common."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, FakeConnect
from tests.fakes import FakeConnection
from tests.feeds.streams import make_stream_hub, message
from tests.revoking import Revoking
from towerws.amqp.errors import ConnectionLost
from towerws.amqp.hosts import Hosts
from towerws.core.metrics import Metrics
from towerws.core.subscriptions import Change
from towerws.feeds.marks import ROUTING_KEY
from towerws.feeds.stream import StreamFeed, StreamSettings

LOST = ConnectionLost("the broker closed the connection without saying why")


class StreamCase(SynchronousTestCase):
    """A test with a feed that is not connected yet."""

    def setUp(self) -> None:
        """Prepare it."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.hub = make_stream_hub(self.metrics)
        self.connect = FakeConnect()
        self.feed = StreamFeed(
            self.hub,
            StreamSettings("events", prefetch=8),
            self.metrics,
            self.clock,
            revocations=Revoking(self.metrics, self.clock).revocations,
            connect=lambda host, **options: self.connect(None, host, **options),
            hosts=Hosts((("one", 5672),)),
        )
        self.hub.attach(self.feed)
        self.connection = FakeConnection()

    def begin(self, *held: str) -> Deferred[None]:
        """Begin with a connection whose broker does not answer some requests."""
        self.client = FakeClient(self.clock, held)
        client: Any = self.client
        begun = Deferred.fromCoroutine(self.feed.begin(client))
        self.addCleanup(self._end, begun)
        return begun

    def _end(self, begun: Deferred[None]) -> None:
        begun.addErrback(lambda failure: failure.trap(CancelledError))
        begun.cancel()

    def publish_mark(self) -> bytes:
        """Let the feed publish its mark, and give it."""
        publisher = FakeClient(self.clock)
        self.connect.attempts[-1].outcome.callback(publisher)
        ((_, exchange, key, mark, _),) = publisher.published
        self.assertEqual((exchange, key), ("events", ROUTING_KEY))
        return mark

    def serve(self, offset: int = 0) -> None:
        """Bring a connection into service."""
        begun = self.begin()
        mark = self.publish_mark()
        self.feed.delivered([message(offset, mark, ROUTING_KEY)])
        self.successResultOf(begun)
        self.feed.serving()

    def lose(self) -> None:
        """Lose the connection."""
        self.client.lose(LOST)
        self.feed.lost()

    def subscribe(self, *groups: str) -> list[Change]:
        """Let a client subscribe; give the list that tells when that is in force."""
        in_force: list[Change] = []
        self.hub.subscribe(self.connection, groups, in_force.append)
        return in_force

    def asked(self, name: str) -> dict[str, Any]:
        """Give the arguments of the only request of this name."""
        (arguments,) = (call.arguments for call in self.client.calls if call.name == name)
        return dict(arguments)

    def begins_at(self) -> object:
        """Give from where it consumes."""
        return self.asked("basic_consume")["arguments"]["x-stream-offset"]
