"""`towerws.feeds.marks`: what a node publishes to see how far it has read."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, FakeConnect
from towerws.amqp.errors import ConnectFailed, PublishBlocked, PublishNotSent
from towerws.amqp.hosts import Hosts
from towerws.broker_emitter import CLOSE_WITHIN
from towerws.core import payload
from towerws.core.groups import is_group_name
from towerws.feeds.marks import ROUTING_KEY, MarkPublisher, make_mark


class MarkTests(SynchronousTestCase):
    """Marks, and their publication."""

    def setUp(self) -> None:
        """Prepare a publisher."""
        self.clock = Clock()
        self.connect = FakeConnect()
        self.publisher = MarkPublisher(
            lambda host, **options: self.connect(None, host, **options),
            Hosts((("one", 5672), ("two", 5672))),
            "events",
            self.clock,
        )

    def publish(self) -> Deferred[None]:
        """Publish a mark."""
        return Deferred.fromCoroutine(self.publisher.publish(b"{}"))

    def test_unlike_any_other(self) -> None:
        """Each is different, valid as a payload, and of no group that a client could name."""
        marks = {make_mark() for _ in range(100)}
        self.assertEqual(len(marks), 100)
        payload.check(marks.pop())
        self.assertFalse(is_group_name(ROUTING_KEY))

    def test_published(self) -> None:
        """On a connection of its own, which is closed when the broker has confirmed it."""
        published = self.publish()
        client = FakeClient(self.clock)
        client.confirmation = Deferred()
        (attempt,) = self.connect.attempts
        self.assertIn("towerws mark", attempt.options["connection_name"])
        attempt.outcome.callback(client)
        ((_, exchange, key, body, _),) = client.published
        self.assertEqual((exchange, key, body), ("events", "$mark", b"{}"))
        self.assertNoResult(published)
        self.assertEqual(client.closings, [])
        client.confirmation.callback(None)
        self.successResultOf(published)
        self.assertEqual(client.closings, [CLOSE_WITHIN])

    def test_refused(self) -> None:
        """During an alarm it fails, says what was not confirmed, and the connection is closed."""
        published = self.publish()
        client = FakeClient(self.clock)
        client.confirmation = Deferred()
        self.connect.attempts[0].outcome.callback(client)
        client.confirmation.errback(PublishBlocked("an alarm"))
        failure = self.failureResultOf(published, PublishBlocked)
        sentence = "the broker did not confirm the server's own mark: an alarm"
        self.assertEqual(str(failure.value), sentence)
        self.assertEqual(client.closings, [CLOSE_WITHIN])

    def test_away(self) -> None:
        """Without a broker it fails."""
        published = self.publish()
        for attempt in self.connect.attempts:
            attempt.outcome.errback(ConnectFailed("refused"))
        self.failureResultOf(published, PublishNotSent)
