"""`towerws.feeds.stream_reader`: connections that are there for one reading."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, FakeConnect
from tests.feeds.streams import GROUP, make_stream_hub, mark_at, messages
from towerws.amqp.errors import ChannelClosed, ConnectFailed, ConnectionLost
from towerws.amqp.hosts import Hosts
from towerws.amqp.pause import MIN_PREFETCH
from towerws.broker_emitter import CLOSE_WITHIN
from towerws.core.event import Event
from towerws.core.metrics import Metrics
from towerws.feeds.excerpt import Excerpt, Verdict
from towerws.feeds.stream_reader import PROOF_WITHIN, RETRY_AFTER, StreamReader

_LOST = ConnectionLost("the broker closed the connection without saying why")


class ReaderTests(SynchronousTestCase):
    """A reader with a history that begins at 10."""

    def setUp(self) -> None:
        """Begin to read behind 3."""
        self.clock = Clock()
        self.connect = FakeConnect()
        hub = make_stream_hub(Metrics(), most_events=1)
        hub.publish([Event(GROUP, b"{}", 10), Event(GROUP, b"{}", 11)])
        self.hosts = Hosts((("one", 5672), ("two", 5672)))
        self.reader = StreamReader(
            "events.stream",
            hub.history,
            100_000,
            self.clock,
            connect=lambda host, **options: self.connect(None, host, **options),
            hosts=self.hosts,
        )
        self.reading = Deferred.fromCoroutine(self.reader.read(mark_at(3), frozenset([GROUP])))

    def accept(self, *held: str) -> FakeClient:
        """Let the present attempt succeed."""
        client = FakeClient(self.clock, held)
        self.connect.attempts[-1].outcome.callback(client)
        return client

    def deliver(self, *offsets: int) -> None:
        """Let the broker deliver by the present connection."""
        self.connect.attempts[-1].deliver(*messages(*offsets))

    def found(self) -> Excerpt:
        """Give what was found."""
        excerpt: Excerpt = self.successResultOf(self.reading)
        return excerpt

    def test_read(self) -> None:
        """A connection, a consumer at the mark, events, and the end of the connection."""
        (attempt,) = self.connect.attempts
        self.assertIn("towerws replay", attempt.options["connection_name"])
        client = self.accept()
        self.assertLess(client.pause._prefetch, MIN_PREFETCH)
        (consume,) = (call for call in client.calls if call.name == "basic_consume")
        arguments: Any = {"queue": "events.stream", "arguments": {"x-stream-offset": 3}}
        self.assertEqual(consume.arguments, arguments)
        self.deliver(3, 4)
        self.assertNoResult(self.reading)
        self.deliver(*range(5, 101))
        self.assertIs(self.found().verdict, Verdict.FOUND)
        self.assertEqual(client.closings, [CLOSE_WITHIN])
        self.assertEqual(client.acks, [(1, 101, True)])
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_there(self) -> None:
        """The first message tells."""
        client = self.accept()
        self.deliver(4)
        self.assertIs(self.found().verdict, Verdict.NOT_FOUND)
        self.assertEqual(client.closings, [CLOSE_WITHIN])

    def test_still_to_come(self) -> None:
        """For an offset that the stream has not come to, nothing comes: not for ever."""
        self.accept()
        self.clock.advance(PROOF_WITHIN - 0.1)
        self.assertNoResult(self.reading)
        self.clock.advance(0.1)
        self.assertIs(self.found().verdict, Verdict.NOT_FOUND)

    def test_proven_and_slow(self) -> None:
        """Once it is proven, whoever waits bounds the rest."""
        self.accept()
        self.deliver(3)
        self.clock.advance(PROOF_WITHIN)
        self.assertNoResult(self.reading)

    def test_lost(self) -> None:
        """A connection that is lost is replaced, and all is read from the beginning."""
        client = self.accept()
        self.deliver(3, 4)
        client.lose(_LOST)
        self.assertNoResult(self.reading)
        self.clock.advance(RETRY_AFTER)
        self.accept()
        self.deliver(3, 4, 10)
        archived = self.found().archived
        assert archived is not None
        self.assertEqual([event.offset for event in archived.events], [4, 10])

    def test_away(self) -> None:
        """Hosts are tried in turn, first the one that serves the node."""
        self.hosts.serving = ("two", 5672)
        for _ in range(3):
            self.connect.attempts[-1].outcome.errback(ConnectFailed("refused"))
            self.clock.advance(RETRY_AFTER)
        hosts = [attempt.host[0] for attempt in self.connect.attempts]
        self.assertEqual(hosts, ["one", "one", "two", "one"])

    def test_refused(self) -> None:
        """A stream that the broker has not found again after a start is asked for again."""
        client = self.accept("basic_consume")
        client.lose(ChannelClosed(1, 404, "home node is down or inaccessible"))
        self.assertEqual(client.closings, [CLOSE_WITHIN])
        self.clock.advance(RETRY_AFTER)
        self.accept()
        self.deliver(3, 10)
        self.assertIs(self.found().verdict, Verdict.FOUND)

    def test_cancelled(self) -> None:
        """A reading that nobody wants any more ends its connection."""
        client = self.accept()
        self.deliver(3)
        self.reading.cancel()
        self.failureResultOf(self.reading, CancelledError)
        self.assertEqual(client.closings, [CLOSE_WITHIN])
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
