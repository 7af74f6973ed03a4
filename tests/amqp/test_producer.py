"""`towerws.amqp.producer`: a connection that is opened to publish, and bounded waiting."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient
from towerws.amqp.errors import (
    ConnectFailed,
    ConnectionLost,
    PublishRefused,
    PublishTimeout,
)
from towerws.amqp.producer import PUBLISH_TIMEOUT, Producer

_HOSTS = (("one", 5672), ("two", 5672))


class ProducerTests(SynchronousTestCase):
    """One producer, two hosts."""

    def setUp(self) -> None:
        """Prepare; nothing is connected."""
        self.clock = Clock()
        self.attempts: list[tuple[tuple[str, int], Deferred[Any]]] = []
        self.producer = Producer(self._connect, _HOSTS, "events", self.clock)

    def _connect(self, host: tuple[str, int]) -> Deferred[Any]:
        outcome: Deferred[Any] = Deferred()
        self.attempts.append((host, outcome))
        return outcome

    def _accept(self, *held: str) -> FakeClient:
        client = FakeClient(self.clock, held)
        self.attempts[-1][1].callback(client)
        return client

    def test_message(self) -> None:
        """Exchange, routing key, body, type; done when the broker has it."""
        published = self.producer.publish("jobs-1", b'{"a": 1}')
        client = FakeClient(self.clock)
        client.confirmation = Deferred()
        self.attempts[0][1].callback(client)
        self.assertEqual([call.name for call in client.calls], ["channel_open", "confirm_select"])
        ((channel, exchange, routing_key, body, properties),) = client.published
        self.assertEqual((channel, exchange, routing_key), (1, "events", "jobs-1"))
        self.assertEqual(body, b'{"a": 1}')
        self.assertEqual(properties, {"content_type": "application/json", "delivery_mode": 1})
        self.assertNoResult(published)
        client.confirmation.callback(None)
        self.successResultOf(published)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_connection(self) -> None:
        """Whoever publishes while the connection is opened, and later, uses the same."""
        published = [self.producer.publish("jobs-1", b"{}") for _ in range(3)]
        client = self._accept()
        published.append(self.producer.publish("jobs-1", b"{}"))
        for each in published:
            self.successResultOf(each)
        self.assertEqual(len(client.published), 4)
        self.assertEqual(len(self.attempts), 1)

    def test_after_a_loss(self) -> None:
        """A lost connection is replaced by the next publish."""
        self.producer.publish("jobs-1", b"{}")
        self._accept().lose(ConnectionLost("gone"))
        published = self.producer.publish("jobs-1", b"{}")
        self.assertEqual(len(self._accept().published), 1)
        self.successResultOf(published)

    def test_hosts_in_turn(self) -> None:
        """The second host is tried when the first fails; then the reason is told."""
        published = self.producer.publish("jobs-1", b"{}")
        self.attempts[-1][1].errback(ConnectFailed("refused"))
        self.assertEqual(self.attempts[-1][0], ("two", 5672))
        self._accept("confirm_select").lose(ConnectionLost("gone"))
        self.failureResultOf(published, ConnectionLost)

    def test_refused(self) -> None:
        """The client's reason is passed on."""
        published = self.producer.publish("jobs-1", b"{}")
        client = FakeClient(self.clock)
        client.confirmation = fail(PublishRefused("the broker could not take it"))
        self.attempts[-1][1].callback(client)
        self.failureResultOf(published, PublishRefused)

    def test_time_is_bounded(self) -> None:
        """Connecting, preparing and confirming together take no longer than the timeout."""
        for held in (None, "channel_open", "confirmation"):
            self.setUp()
            published = self.producer.publish("jobs-1", b"{}")
            behind = self.producer.publish("jobs-1", b"{}")
            if held is not None:
                client = FakeClient(self.clock, (held,))
                self.patch(client, "publish", lambda *_: Deferred())
                self.attempts[-1][1].callback(client)
            self.clock.advance(PUBLISH_TIMEOUT)
            for each in (published, behind):
                self.failureResultOf(each, PublishTimeout)
            self.clock.advance(0)
            self.assertEqual(self.clock.getDelayedCalls(), [], held)

    def test_close(self) -> None:
        """Closing closes the connection, if there is one."""
        self.successResultOf(self.producer.close(2))
        self.producer.publish("jobs-1", b"{}")
        client = self._accept()
        self.producer.close(2)
        self.assertEqual(client.closings, [2])
        self.successResultOf(self.producer.close(2))
