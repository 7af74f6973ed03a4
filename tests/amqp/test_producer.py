"""`towerws.amqp.producer`: a connection that is opened to publish, and bounded waiting."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import Attempt, FakeClient
from towerws.amqp.errors import (
    ConnectFailed,
    ConnectionLost,
    EncodeError,
    PublishBlocked,
    PublishNotSent,
    PublishRefused,
    PublishUnconfirmed,
)
from towerws.amqp.producer import OPEN_TIMEOUT, PUBLISH_TIMEOUT, Producer

_ONE, _TWO = ("one", 5672), ("two", 5672)


class ProducerCase(SynchronousTestCase):
    """A test with a producer.

    Attributes:
        hosts: What the producer may try, in this order.
        attempts: What it has tried.
    """

    def setUp(self) -> None:
        """Prepare; nothing is connected."""
        self.clock = Clock()
        self.hosts = [_ONE, _TWO]
        self.attempts: list[Attempt] = []
        self.producer = Producer(self._connect, lambda: self.hosts, "events", self.clock)

    def _connect(self, host: tuple[str, int], **options: Any) -> Deferred[Any]:
        attempt = Attempt(host, options, Deferred())
        self.attempts.append(attempt)
        return attempt.outcome

    def publish(self) -> Deferred[None]:
        """Publish something."""
        return self.producer.publish("jobs-1", b"{}")

    def accept(self, *held: str, confirms: bool = True) -> FakeClient:
        """Let the present attempt succeed."""
        client = FakeClient(self.clock, held)
        if not confirms:
            client.confirmation = Deferred()
        self.attempts[-1].outcome.callback(client)
        return client

    def text(self, published: Deferred[None], *kinds: type[Exception]) -> str:
        """Give the text of the error that a publish failed with."""
        return str(self.failureResultOf(published, *kinds).value)

    def assert_nothing_left(self) -> None:
        """See that no timer runs."""
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PublishTests(ProducerCase):
    """What is published, and how that ends."""

    def test_message(self) -> None:
        """Exchange, routing key, body, type; done when the broker has it."""
        published = self.producer.publish("jobs-1", b'{"a": 1}')
        client = self.accept(confirms=False)
        self.assertEqual([call.name for call in client.calls], ["channel_open", "confirm_select"])
        ((channel, exchange, routing_key, body, properties),) = client.published
        self.assertEqual((channel, exchange, routing_key), (1, "events", "jobs-1"))
        self.assertEqual(body, b'{"a": 1}')
        self.assertEqual(properties, {"content_type": "application/json", "delivery_mode": 1})
        self.assertNoResult(published)
        client.confirmation.callback(None)
        self.successResultOf(published)
        self.assert_nothing_left()

    def test_one_connection(self) -> None:
        """Whoever publishes while the connection is opened, and later, uses the same."""
        published = [self.publish() for _ in range(3)]
        client = self.accept()
        published.append(self.publish())
        for each in published:
            self.successResultOf(each)
        self.assertEqual(len(client.published), 4)
        self.assertEqual(len(self.attempts), 1)

    def test_after_a_loss(self) -> None:
        """A lost connection is replaced by the next publish."""
        self.publish()
        self.accept().lose(ConnectionLost("gone"))
        published = self.publish()
        self.assertEqual(len(self.accept().published), 1)
        self.successResultOf(published)

    def test_refused(self) -> None:
        """The client's reason is passed on when nothing was sent, or the broker has answered."""
        for reason in (PublishRefused("no"), PublishBlocked("no"), EncodeError("no")):
            published = self.publish()
            client = FakeClient(self.clock)
            client.confirmation = fail(reason)
            self.attempts[-1].outcome.callback(client)
            self.assertIs(self.failureResultOf(published).value, reason)
            client.lose(ConnectionLost("gone"))

    def test_lost_while_waiting(self) -> None:
        """What was sent before the connection was lost may have been taken, which is said."""
        published = self.publish()
        self.accept(confirms=False).confirmation.errback(ConnectionLost("the line is dead"))
        self.assertEqual(
            self.text(published, PublishUnconfirmed),
            "it was sent and may have been taken, but the line is dead",
        )

    def test_not_confirmed_in_time(self) -> None:
        """So may what the broker does not answer for; connecting takes of the same time."""
        published = self.publish()
        self.clock.advance(1)
        self.accept(confirms=False)
        self.clock.advance(PUBLISH_TIMEOUT - 1.1)
        self.assertNoResult(published)
        self.clock.advance(0.1)
        self.assertIn("may still be taken", self.text(published, PublishUnconfirmed))
        self.assert_nothing_left()


class OpeningTests(ProducerCase):
    """How a connection comes about, or not."""

    def test_hosts_in_turn(self) -> None:
        """The second host is tried when the first fails; then the reason is told."""
        published = self.publish()
        self.attempts[-1].outcome.errback(ConnectFailed("refused"))
        self.assertEqual([attempt.host for attempt in self.attempts], [_ONE, _TWO])
        self.accept("confirm_select").lose(ConnectionLost("it broke"))
        self.assertEqual(self.text(published, PublishNotSent), "nothing was sent: it broke")
        self.assert_nothing_left()

    def test_hosts_of_the_moment(self) -> None:
        """The hosts are asked for each time."""
        self.publish()
        self.accept().lose(ConnectionLost("gone"))
        self.hosts.reverse()
        self.publish()
        self.assertEqual([attempt.host for attempt in self.attempts], [_ONE, _TWO])

    def test_first_host_hangs(self) -> None:
        """A host that does not answer, at whatever stage, leaves time for the next one."""
        for held in (None, "channel_open", "confirm_select"):
            self.setUp()
            published = self.publish()
            client = None if held is None else self.accept(held)
            self.clock.advance(OPEN_TIMEOUT / 2)
            self.assertEqual([attempt.host for attempt in self.attempts], [_ONE, _TWO], held)
            self.assertTrue(self.attempts[0].outcome.called)
            self.assertTrue(client is None or client.aborted)
            self.clock.advance(OPEN_TIMEOUT / 2 - 0.1)
            self.accept()
            self.successResultOf(published)
            self.assert_nothing_left()

    def test_all_hosts_hang(self) -> None:
        """Then nothing was sent, which is what is said; to all who wait, in time."""
        published = self.publish()
        self.clock.advance(OPEN_TIMEOUT / 2)
        behind = self.publish()
        self.clock.advance(OPEN_TIMEOUT / 2)
        for each in (published, behind):
            self.assertEqual(
                self.text(each, PublishNotSent),
                "nothing was sent: no connection to two port 5672 in time",
            )
        self.assertTrue(all(attempt.outcome.called for attempt in self.attempts))
        self.assert_nothing_left()
        self.publish()
        self.assertEqual(len(self.attempts), 3)

    def test_fault(self) -> None:
        """An error of another kind is passed on as it is."""
        published = self.publish()
        self.attempts[-1].outcome.errback(ZeroDivisionError())
        self.failureResultOf(published, ZeroDivisionError)


class AlarmTests(ProducerCase):
    """A broker that takes nothing for now."""

    def test_told(self) -> None:
        """An alarm is logged with the broker's reason, and its end; and can be asked for."""
        self.assertFalse(self.producer.blocked)
        self.publish()
        client = self.accept()
        on_blocked = self.attempts[-1].options["on_blocked"]
        with capturedLogs() as logs:
            client.blocked = "low on memory"
            on_blocked(True, "low on memory")
            self.assertTrue(self.producer.blocked)
            client.blocked = None
            on_blocked(False, "")
            self.assertFalse(self.producer.blocked)
        self.assertEqual(
            [(event["log_level"], formatEvent(event)) for event in logs],
            [
                (LogLevel.warn, "the broker takes no messages for now: low on memory"),
                (LogLevel.info, "the broker takes messages again"),
            ],
        )

    def test_over_with_the_connection(self) -> None:
        """What a lost connection was told counts no more."""
        self.publish()
        client = self.accept()
        client.blocked = "low on memory"
        client.lose(ConnectionLost("gone"))
        self.assertFalse(self.producer.blocked)


class CloseTests(ProducerCase):
    """The end of the producer."""

    def _assert_closed(self) -> None:
        before = len(self.attempts)
        text = self.text(self.publish(), PublishNotSent)
        self.assertEqual(text, "nothing was sent: this side has closed the connection")
        self.assertEqual(len(self.attempts), before)
        self.successResultOf(self.producer.close(2))
        self.assert_nothing_left()

    def test_at_rest(self) -> None:
        """Without a connection there is nothing to wait for."""
        self.successResultOf(self.producer.close(2))
        self._assert_closed()

    def test_connected(self) -> None:
        """The connection is closed, and its end is waited for."""
        self.publish()
        client = self.accept()
        client.closed = Deferred()
        closing = self.producer.close(2)
        self.assertEqual(client.closings, [2])
        self.assertNoResult(closing)
        client.closed.callback(None)
        self.successResultOf(closing)
        self._assert_closed()

    def test_connecting(self) -> None:
        """A connection that is being opened is given up, and nothing is published any more."""
        published = [self.publish(), self.publish()]
        self.successResultOf(self.producer.close(2))
        self.assertTrue(self.attempts[0].outcome.called)
        for each in published:
            self.text(each, PublishNotSent)
        self._assert_closed()

    def test_preparing(self) -> None:
        """So is one that the broker has accepted already."""
        for held in ("channel_open", "confirm_select"):
            self.setUp()
            published = self.publish()
            client = self.accept(held)
            self.producer.close(2)
            self.text(published, PublishNotSent)
            self.assertTrue(client.aborted)
            self.assertEqual(client.published, [])
            self._assert_closed()
