"""`towerws.amqp_bridge`: publishing through the broker."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail

from tests.bridge_case import LOST, REFUSED, BridgeCase
from tests.fake_broker import FakeClient
from towerws.amqp.errors import PublishRefused
from towerws.amqp.producer import OPEN_TIMEOUT
from towerws.amqp_bridge import BridgeSettings
from towerws.broker_emitter import CLOSE_WITHIN
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics


class EmitTests(BridgeCase):
    """Publishing through the broker."""

    def _refusal(self, emitted: Deferred[Any]) -> str:
        return str(self.failureResultOf(emitted, SourceUnavailable).value)

    def _producer(self) -> FakeClient:
        """Accept the connection that is opened to publish."""
        return self.accept()

    def test_confirmed(self) -> None:
        """Answered when the broker has it, by a connection that does nothing else."""
        consuming = self.start()
        emitted = self.bridge.emit("jobs-1", b'{"a": 1}')
        client = self._producer()
        self.assertEqual(client.published[0][1:4], ("events", "jobs-1", b'{"a": 1}'))
        self.assertEqual(consuming.published, [])
        self.assertEqual(self.successResultOf(emitted), {"confirmed": True})

    def test_refused(self) -> None:
        """A refusal of the broker is a sentence."""
        self.start()
        emitted = self.bridge.emit("jobs-1", b"{}")
        client = FakeClient(self.clock)
        client.confirmation = fail(PublishRefused("the broker could not take the message"))
        self.attempts[-1].outcome.callback(client)
        self.assertEqual(
            self._refusal(emitted),
            "The broker did not confirm the event: the broker could not take the message.",
        )

    def test_sentences(self) -> None:
        """Whoever emits is told whether the event may still arrive."""
        self.start()
        emitted = self.bridge.emit("jobs-1", b"{}")
        self.clock.advance(OPEN_TIMEOUT / 2)
        self.clock.advance(OPEN_TIMEOUT / 2)
        self.assertEqual(
            self._refusal(emitted),
            "The broker did not confirm the event: nothing was sent: no connection to two port"
            " 5673 in time.",
        )
        emitted = self.bridge.emit("jobs-1", b"{}")
        client = FakeClient(self.clock)
        client.confirmation = Deferred()
        self.attempts[-1].outcome.callback(client)
        client.confirmation.errback(LOST)
        self.assertEqual(
            self._refusal(emitted),
            "The broker did not confirm the event: it was sent and may have been taken, but the"
            " broker closed the connection without saying why.",
        )

    def test_begins_with_the_host_that_serves(self) -> None:
        """The connection that publishes is first sought where the other one is."""
        self.bridge.startService()
        self.attempts[-1].outcome.errback(REFUSED)
        self.accept()
        self.bridge.emit("jobs-1", b"{}")
        self.attempts[-1].outcome.errback(REFUSED)
        self.assertEqual([attempt.host[0] for attempt in self.attempts[2:]], ["two", "one"])
        self._producer()

    def test_alarm(self) -> None:
        """An alarm is seen on the metrics page, while it lasts."""
        self.start()
        self.assertEqual(self.counted("towerws_broker_blocked"), 0)
        self.bridge.emit("jobs-1", b"{}")
        client = self._producer()
        client.blocked = "low on memory"
        self.assertEqual(self.counted("towerws_broker_blocked"), 1)
        client.lose(LOST)
        self.assertEqual(self.counted("towerws_broker_blocked"), 0)

    def test_closed_at_the_end(self) -> None:
        """The connection that publishes ends with the service; the next start has a new one."""
        self.start()
        self.bridge.emit("jobs-1", b"{}")
        client = self._producer()
        self.bridge.stopService()
        self.assertEqual(client.closings, [CLOSE_WITHIN])
        self.start()
        emitted = self.bridge.emit("jobs-1", b"{}")
        self._producer()
        self.successResultOf(emitted)

    def test_stopped_while_connecting(self) -> None:
        """The service leaves no connection behind that is still being opened to publish."""
        self.start()
        emitted = self.bridge.emit("jobs-1", b"{}")
        self.bridge.stopService()
        self.assertIn("nothing was sent", self._refusal(emitted))
        self.assertTrue(self.attempts[-1].outcome.called)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_away(self) -> None:
        """Without a broker nothing is accepted, at any stage."""
        stages: list[Callable[[], object]] = [
            lambda: None,
            self.bridge.startService,
            lambda: self.accept("basic_consume"),
            lambda: self.consuming().lose(LOST),
            lambda: self.attempts[-1].outcome.errback(REFUSED),
        ]
        for stage in stages:
            stage()
            sentence = self._refusal(self.bridge.emit("jobs-1", b"{}"))
            self.assertTrue(sentence.startswith("The broker is away: "), sentence)
            self.assertTrue(sentence.endswith("."), sentence)

    def test_none(self) -> None:
        """A bridge that is not to publish says so, and shows nothing of what it does not do."""
        metrics = Metrics()
        bridge = self.make_bridge(self.feed, BridgeSettings(), metrics, emits=False)
        self.bridge = bridge
        self.start()
        sentence = self._refusal(bridge.emit("jobs-1", b"{}"))
        self.assertEqual(sentence, "This process does not publish.")
        self.assertIn("towerws_broker_connected 1", metrics.render())
        self.assertNotIn("towerws_broker_blocked", metrics.render())
        bridge.stopService()
        self.assertEqual(len(self.attempts), 1)
