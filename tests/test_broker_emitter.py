"""`towerws.broker_emitter`: emits that go to the broker."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, FakeConnect
from towerws.amqp.errors import ConnectFailed
from towerws.amqp.hosts import Hosts
from towerws.broker_emitter import CLOSE_WITHIN, BrokerEmitter
from towerws.core.broker_url import BrokerURL
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation


class BrokerEmitterTests(SynchronousTestCase):
    """An emitter with a broker that is at hand."""

    def setUp(self) -> None:
        """Start it."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.connect = FakeConnect()
        url = BrokerURL.parse("amqp://user:s3cret@one/")
        self.emitter = BrokerEmitter(url, "events", self.metrics, self.clock, connect=self.connect)
        self.emitter.startService()

    def emit(self) -> Deferred[dict[str, object]]:
        """Publish something."""
        return Deferred.fromCoroutine(self.emitter.emit("jobs-1", b"{}"))

    def test_confirmed(self) -> None:
        """The connection is made for the first event, and serves all."""
        self.assertEqual(self.connect.attempts, [])
        emitted = self.emit()
        (attempt,) = self.connect.attempts
        self.assertIn("towerws producer", attempt.options["connection_name"])
        client = FakeClient(self.clock, ())
        attempt.outcome.callback(client)
        self.assertEqual(self.successResultOf(emitted), {"confirmed": True})
        self.assertEqual(self.successResultOf(self.emit()), {"confirmed": True})
        ((_, exchange, group, body, _), _) = client.published
        self.assertEqual((exchange, group, body), ("events", "jobs-1", b"{}"))
        self.assertEqual(len(self.connect.attempts), 1)

    def test_revoke(self) -> None:
        """A revocation takes the same way, under the routing key that is no group's."""
        revoked = Deferred.fromCoroutine(self.emitter.revoke(Revocation("7", "jobs-1")))
        client = FakeClient(self.clock, ())
        self.connect.attempts[0].outcome.callback(client)
        self.assertEqual(self.successResultOf(revoked), {"confirmed": True})
        ((_, exchange, key, body, _),) = client.published
        self.assertEqual((exchange, key), ("events", "$revoke"))
        self.assertEqual(body, b'{"user": "7", "group": "jobs-1"}')

    def test_away(self) -> None:
        """The publisher gets a sentence."""
        emitted = self.emit()
        self.connect.attempts[0].outcome.errback(ConnectFailed("no connection to one"))
        failure = self.failureResultOf(emitted, SourceUnavailable)
        self.assertEqual(
            str(failure.value),
            "The broker did not confirm the event: nothing was sent: no connection to one.",
        )

    def test_hosts(self) -> None:
        """It begins with the host that somebody else has found to work."""
        url = BrokerURL.parse("amqp://user:s3cret@one,two/")
        hosts = Hosts(url.hosts)
        self.emitter = BrokerEmitter(
            url, "events", Metrics(), self.clock, hosts=hosts, connect=self.connect
        )
        self.emitter.startService()
        hosts.serving = url.hosts[1]
        self.emit()
        self.assertEqual(self.connect.attempts[-1].host, url.hosts[1])

    def test_stopped(self) -> None:
        """The connection is closed; what comes later is refused."""
        self.emit()
        client = FakeClient(self.clock, ())
        self.connect.attempts[0].outcome.callback(client)
        self.successResultOf(self.emitter.stopService())
        self.assertEqual(client.closings, [CLOSE_WITHIN])
        self.failureResultOf(self.emit(), SourceUnavailable)
        self.successResultOf(self.emitter.stopService())

    def test_blocked(self) -> None:
        """An alarm of the broker shows in the metrics."""
        self.assertIn("towerws_broker_blocked 0\n", self.metrics.render())
        self.emit()
        client = FakeClient(self.clock, ())
        self.connect.attempts[0].outcome.callback(client)
        client.blocked = "low on memory"
        self.assertIn("towerws_broker_blocked 1\n", self.metrics.render())
