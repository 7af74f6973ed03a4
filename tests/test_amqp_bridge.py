"""`towerws.amqp_bridge`: life with a broker that comes, goes, and sends odd things."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import Attempt, FakeClient, FakeConnect, delivery
from tests.fakes import FakeConnection
from towerws.amqp.errors import ConnectFailed, ConnectionLost, PublishRefused
from towerws.amqp_bridge import CLOSE_WITHIN, STABLE_AFTER, AMQPBridge, BridgeSettings
from towerws.core.broker_url import BrokerURL
from towerws.core.hub import Hub, SourceUnavailable
from towerws.core.metrics import Metrics
from towerws.core.subscriptions import Change

_REFUSED = ConnectFailed("the connection to the broker failed: refused")
_LOST = ConnectionLost("the broker closed the connection without saying why")


class BridgeCase(SynchronousTestCase):
    """A test with a bridge between a hub and a broker that are both at hand.

    Attributes:
        attempts: How often it tried to connect.
        delays: The numbers of the attempts before which it waited.
    """

    hosts = "one,two:5673"

    def setUp(self) -> None:
        """Put a bridge under a hub; it is not started."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.hub = Hub(self.metrics)
        self.connect = FakeConnect()
        self.bridge = AMQPBridge(
            BrokerURL.parse(f"amqp://user:s3cret@{self.hosts}/"),
            self.hub,
            BridgeSettings(exchange="events", prefetch=40, max_event=1000),
            self.metrics,
            self.clock,
            connect=self.connect,
        )
        self.hub.attach(self.bridge)
        self.addCleanup(self.bridge.stopService)
        self.attempts = self.connect.attempts
        self.delays: list[int] = []
        self.bridge._retry_delay = self._delay

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

    def _client(self) -> FakeClient:
        consumer: Any = self.bridge._consumer
        client: FakeClient = consumer.client
        return client

    def subscribe(self, *groups: str) -> tuple[FakeConnection, list[Change]]:
        """Let a client subscribe; give it, and the list that tells when that is in force."""
        connection = FakeConnection()
        in_force: list[Change] = []
        self.hub.subscribe(connection, groups, in_force.append)
        return connection, in_force

    def counted(self, name: str) -> float:
        """Read a number off the metrics page, by its name with labels."""
        for line in self.metrics.render().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0


class ConnectingTests(BridgeCase):
    """How a connection is sought."""

    def test_options(self) -> None:
        """The client is made with the limits of the bridge, on its reactor."""
        self.bridge.startService()
        (attempt,) = self.attempts
        self.assertEqual(attempt.host, ("one", 5672))
        self.assertIs(attempt.options["reactor"], self.clock)
        self.assertEqual(attempt.options["max_body"], 1000)

    def test_in_service(self) -> None:
        """Ready when everything is prepared, not when the connection is there."""
        self.bridge.startService()
        self.assertEqual(self.bridge.unready(), "not connected to the broker yet")
        client = self.accept("basic_consume")
        self.assertEqual(self.bridge.unready(), "not connected to the broker yet")
        self.assertEqual(self.counted("towerws_broker_connected"), 0)
        client.reply_to("basic_consume")
        self.assertIsNone(self.bridge.unready())
        self.assertEqual(self.counted("towerws_broker_connected"), 1)
        self.assertEqual(self.counted("towerws_broker_connections_total"), 1)
        self.assertEqual(client.calls[3].arguments, {"prefetch_count": 40})

    def test_hosts_in_turn(self) -> None:
        """All hosts are tried before there is a pause, and again in the same order."""
        self.bridge.startService()
        for hosts in (1, 2, 3):
            self.attempts[-1].outcome.errback(_REFUSED)
            self.assertEqual(self.bridge.unready(), str(_REFUSED))
            self.assertEqual(len(self.attempts), 2 * hosts)
            self.attempts[-1].outcome.errback(_REFUSED)
            self.assertEqual(len(self.attempts), 2 * hosts)
            self.clock.advance(1)
        self.assertEqual(
            [attempt.host for attempt in self.attempts[:6]], [("one", 5672), ("two", 5673)] * 3
        )
        self.assertEqual(self.delays, [1, 2, 3])

    def test_second_host(self) -> None:
        """The second host is as good as the first."""
        self.bridge.startService()
        self.attempts[-1].outcome.errback(_REFUSED)
        self.accept()
        self.assertIsNone(self.bridge.unready())

    def test_real_delays(self) -> None:
        """Pauses grow to a few seconds and no further, with jitter."""
        bridge = AMQPBridge(
            BrokerURL.parse("amqp://one/"),
            self.hub,
            BridgeSettings(),
            Metrics(),
            self.clock,
            connect=self.connect,
        )
        delays = [bridge._retry_delay(attempt) for attempt in range(1, 100)]
        self.assertLess(delays[0], 1.2)
        self.assertGreaterEqual(min(delays), 0.1)
        self.assertLessEqual(max(delays), 3.5)
        self.assertGreater(len(set(delays)), 50)

    def test_preparation_fails(self) -> None:
        """A connection that cannot be put to use is given up, and the next host tried."""
        client = self.start("queue_declare")
        client.lose(_LOST)
        self.assertEqual(client.aborted, ["the preparation of the connection failed"])
        self.assertEqual(self.attempts[-1].host, ("two", 5673))
        self.assertEqual(self.bridge.unready(), str(_LOST))

    def test_loss_while_binding(self) -> None:
        """So is one that is lost while groups are bound, however many."""
        _, in_force = self.subscribe("jobs-1", "jobs-2")
        client = self.start("queue_bind")
        client.lose(_LOST)
        self.assertEqual(self.attempts[-1].host, ("two", 5673))
        self.accept()
        self.assertEqual(len(in_force), 1)

    def test_lost_soon(self) -> None:
        """Connections that do not last make the pauses longer, those that last do not."""
        self.start()
        for lived, attempt in (
            (0, 1),
            (1, 2),
            (STABLE_AFTER - 1, 3),
            (STABLE_AFTER, 0),
            (1, 1),
            (3600, 0),
        ):
            client = FakeClient(self.clock)
            if self.delays:
                self.attempts[-1].outcome.callback(client)
            else:
                client = self._client()
            self.clock.advance(lived)
            client.lose(_LOST)
            self.assertEqual(self.delays[-1], attempt)
            self.assertEqual(self.bridge.unready(), str(_LOST))
            self.assertEqual(self.counted("towerws_broker_connected"), 0)
            self.clock.advance(1)

    def test_fault(self) -> None:
        """An error of another kind is logged and ends the bridge, which says so."""
        self.bridge.startService()
        self.attempts[-1].outcome.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.bridge.unready(), "a fault of the server ended the bridge")
        self.successResultOf(self.bridge.stopService())

    def test_log(self) -> None:
        """The log tells what happened, in sentences without the password."""
        with capturedLogs() as logs:
            self.bridge.startService()
            self.attempts[-1].outcome.errback(_REFUSED)
            self.accept().lose(_LOST)
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(len(lines), 3)
        self.assertIn("no events from the broker at one:5672: the connection", lines[0])
        self.assertIn("consuming from the broker at two:5673, 0 groups bound", lines[1])
        self.assertEqual(lines[2], f"lost the broker: {_LOST}")
        self.assertNotIn("s3cret", repr(self.bridge) + str(self.bridge) + "".join(lines))


class SubscriptionTests(BridgeCase):
    """A subscription is answered when the broker has it, and not before."""

    def test_in_force_at_bind_ok(self) -> None:
        """The reply waits for the broker's."""
        client = self.start("queue_bind")
        _, in_force = self.subscribe("jobs-1", "jobs-2")
        self.assertEqual(
            sorted(client.named("queue_bind")), [("queue_bind", "jobs-1"), ("queue_bind", "jobs-2")]
        )
        client.reply_to("queue_bind")
        self.assertEqual(in_force, [])
        client.reply_to("queue_bind")
        self.assertEqual(len(in_force), 1)

    def test_second_listener(self) -> None:
        """A group that is bound is not bound again; one that is being bound is waited for."""
        client = self.start("queue_bind")
        _, first = self.subscribe("jobs-1")
        _, second = self.subscribe("jobs-1")
        self.assertEqual(second, [])
        client.reply_to("queue_bind")
        self.assertEqual((len(first), len(second)), (1, 1))
        _, third = self.subscribe("jobs-1")
        self.assertEqual(len(third), 1)
        self.assertEqual(len(client.named("queue_bind")), 1)

    def test_last_listener(self) -> None:
        """A group that nobody listens to is unbound."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        self.hub.leave(connection)
        self.assertEqual(client.named("queue_unbind"), [("queue_unbind", "jobs-1")])

    def test_before_the_broker(self) -> None:
        """Who comes while the broker is away waits until it is there."""
        _, early = self.subscribe("jobs-1")
        self.bridge.startService()
        _, late = self.subscribe("jobs-2")
        client = self.accept("queue_bind")
        self.assertEqual((early, late), ([], []))
        client.reply_to("queue_bind")
        client.reply_to("queue_bind")
        self.assertEqual((len(early), len(late)), (1, 1))

    def test_while_preparing(self) -> None:
        """Groups that come and go while there is no queue yet are bound as they are then."""
        client = self.start("queue_declare")
        leaving, _ = self.subscribe("jobs-1")
        _, staying = self.subscribe("jobs-2")
        self.hub.leave(leaving)
        client.reply_to("queue_declare")
        self.assertEqual(client.named("queue_bind", "queue_unbind"), [("queue_bind", "jobs-2")])
        self.assertEqual(len(staying), 1)

    def test_bound_again_after_a_loss(self) -> None:
        """All groups are bound on the next connection; who waited goes on waiting for that one."""
        client = self.start()
        self.subscribe("jobs-1")
        client.held.add("queue_bind")
        _, waiting = self.subscribe("jobs-2")
        client.lose(_LOST)
        _, later = self.subscribe("jobs-1")
        self.clock.advance(1)
        client = self.accept("queue_bind")
        self.assertEqual(
            sorted(client.named("queue_bind")), [("queue_bind", "jobs-1"), ("queue_bind", "jobs-2")]
        )
        self.assertEqual((waiting, later), ([], []))
        client.reply_to("queue_bind")
        client.reply_to("queue_bind")
        self.assertEqual((len(waiting), len(later)), (1, 1))

    def test_leaves_while_waiting(self) -> None:
        """Who leaves before the broker's answer is not answered."""
        client = self.start("queue_bind")
        connection, in_force = self.subscribe("jobs-1")
        self.hub.leave(connection)
        client.reply_to("queue_bind")
        self.assertEqual(in_force, [])

    def test_comes_back_while_the_broker_works(self) -> None:
        """A group that is left and joined again is in force at its last binding."""
        client = self.start("queue_bind", "queue_unbind")
        connection, _ = self.subscribe("jobs-1")
        self.hub.leave(connection)
        _, in_force = self.subscribe("jobs-1")
        client.reply_to("queue_bind")
        client.reply_to("queue_unbind")
        self.assertEqual(in_force, [])
        client.reply_to("queue_bind")
        self.assertEqual(len(in_force), 1)


class GapTests(BridgeCase):
    """Who may have missed something is told, when it helps to come back."""

    def _reconnect(self, *held: str) -> FakeClient:
        self.clock.advance(1)
        return self.accept(*held)

    def test_not_at_first(self) -> None:
        """At the first connection nobody missed anything that was promised."""
        connection, _ = self.subscribe("jobs-1")
        self.bridge.startService()
        self.attempts[-1].outcome.errback(_REFUSED)
        self.accept()
        self.assertEqual(connection.gaps, 0)
        self.assertEqual(self.counted("towerws_gaps_total"), 0)

    def test_after_binding_again(self) -> None:
        """After a loss all are told, when their groups are bound again and events flow."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(_LOST)
        self.assertEqual(connection.gaps, 0)
        client = self._reconnect("queue_bind", "basic_consume")
        client.reply_to("queue_bind")
        self.assertEqual(connection.gaps, 0)
        client.reply_to("basic_consume")
        self.assertEqual(connection.gaps, 1)

    def test_once_for_several_losses(self) -> None:
        """Attempts that come to nothing make no gaps of their own."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(_LOST)
        self._reconnect("basic_consume").lose(_LOST)
        self.attempts[-1].outcome.errback(_REFUSED)
        self._reconnect()
        self.assertEqual(connection.gaps, 1)
        self.assertEqual(self.counted("towerws_gaps_total"), 1)

    def test_no_promise_while_preparing(self) -> None:
        """A connection that does not come into service promises nothing."""
        connection, in_force = self.subscribe("jobs-1")
        client = self.start("basic_consume")
        self.assertEqual(client.named("queue_bind"), [("queue_bind", "jobs-1")])
        self.assertEqual(in_force, [])
        client.lose(_LOST)
        gaps: list[int] = []
        connection.on_gap = lambda: gaps.append(len(in_force))
        self.accept()
        self.assertEqual(len(in_force), 1)
        # If it is told of a gap at all, then before it is promised anything.
        self.assertNotIn(1, gaps)


class StopTests(BridgeCase):
    """The bridge can be stopped at any time, and leaves nothing."""

    def _stop(self) -> None:
        done = self.bridge.stopService()
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        before = len(self.attempts)
        self.clock.advance(3600)
        self.assertEqual(len(self.attempts), before)
        self.assertIsNotNone(self.bridge.unready())
        self.assertEqual(self.counted("towerws_broker_connected"), 0)
        self.failureResultOf(self.bridge.emit("jobs-1", b"{}"), SourceUnavailable)
        self.hub.leave(self.subscribe("jobs-9")[0])

    def test_before_the_start(self) -> None:
        """A bridge that was never started stops as well."""
        self._stop()

    def test_connecting(self) -> None:
        """The attempt is cancelled."""
        self.bridge.startService()
        self._stop()
        self.assertTrue(self.attempts[-1].outcome.called)

    def test_preparing(self) -> None:
        """The connection is given up, whatever the broker was asked last."""
        for name in ("channel_open", "queue_declare", "queue_bind", "basic_consume"):
            self.setUp()
            self.subscribe("jobs-1", "jobs-2")
            client = self.start(name)
            self._stop()
            self.assertTrue(client.aborted, name)

    def test_live(self) -> None:
        """The connection is closed in order, within a time, and acknowledgements are left."""
        client = self.start()
        client.closed = Deferred()
        self.subscribe("jobs-1")
        self.attempts[-1].deliver(delivery(1))
        done = self.bridge.stopService()
        self.assertEqual(client.closings, [CLOSE_WITHIN])
        self.assertNoResult(done)
        client.closed.callback(None)
        self.successResultOf(done)
        self._stop()

    def test_waiting(self) -> None:
        """The pause is cut short."""
        self.start().lose(_LOST)
        self._stop()

    def test_after_a_fault(self) -> None:
        """A bridge that ended by itself stops as well."""
        self.bridge.startService()
        self.attempts[-1].outcome.errback(ZeroDivisionError())
        self.flushLoggedErrors(ZeroDivisionError)
        self._stop()

    def test_again(self) -> None:
        """It can be started again, and clients are told that they may have missed something."""
        connection, _ = self.subscribe("jobs-1")
        self.start()
        self._stop()
        client = self.start()
        self.assertIsNone(self.bridge.unready())
        self.assertEqual(client.named("queue_bind"), [("queue_bind", "jobs-1")])
        self.assertEqual(connection.gaps, 1)


class DeliveryTests(BridgeCase):
    """Events on their way to the hub."""

    def setUp(self) -> None:
        """Connect, and subscribe somebody."""
        super().setUp()
        self.client = self.start()
        self.connection, _ = self.subscribe("jobs-1")

    @property
    def _attempt(self) -> Attempt:
        return self.attempts[-1]

    def test_delivered(self) -> None:
        """Events arrive byte for byte, in order, and with one write for each read."""
        payload = '{"ä" :1}'.encode()
        self._attempt.deliver(delivery(1, body=payload), delivery(2), delivery(3, "jobs-2"))
        self.assertEqual(self.connection.messages, [payload, b"{}"])
        self.assertEqual(self.connection.flushes, 1)
        self.assertEqual(self.counted("towerws_events_total"), 3)
        self.assertEqual(self.counted("towerws_events_unheard_total"), 1)

    def test_acknowledged(self) -> None:
        """Everything is acknowledged, a quarter of the prefetch at a time or after a moment."""
        self._attempt.deliver(*(delivery(tag) for tag in range(1, 10)))
        self.assertEqual(self.client.acks, [])
        self._attempt.deliver(delivery(10))
        self.assertEqual(self.client.acks, [(1, 10, True)])
        self._attempt.deliver(delivery(11))
        self.clock.advance(0.05)
        self.assertEqual(self.client.acks[1:], [(1, 11, True)])

    def test_odd_routing_keys(self) -> None:
        """Whatever a publisher chose as a routing key, nobody listens to it."""
        for key in ("", "#", "$server", "x" * 255, "\udcff", "jobs-1\n"):
            self._attempt.deliver(delivery(1, key), delivery(2, key, None))
        self.assertEqual(self.connection.messages, [])
        self.assertEqual(self.counted("towerws_events_unheard_total"), 6)

    def test_delivered_while_preparing(self) -> None:
        """Events that come before everything is prepared are delivered and acknowledged."""
        self.client.lose(_LOST)
        self.clock.advance(1)
        client = self.accept("basic_consume")
        self._attempt.deliver(delivery(1))
        self.clock.advance(1)
        self.assertEqual(self.connection.messages, [b"{}"])
        self.assertEqual(client.acks, [(1, 1, True)])

    def test_delivered_at_the_end(self) -> None:
        """Events that come while the bridge stops are delivered; nothing breaks."""
        self.bridge.stopService()
        self._attempt.deliver(delivery(1))
        self.clock.advance(1)
        self.assertEqual(self.connection.messages, [b"{}"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


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
            "The broker did not take the event: the broker could not take the message.",
        )

    def test_closed_at_the_end(self) -> None:
        """The connection that publishes ends with the service."""
        self.start()
        self.bridge.emit("jobs-1", b"{}")
        client = self._producer()
        self.bridge.stopService()
        self.assertEqual(client.closings, [CLOSE_WITHIN])

    def test_away(self) -> None:
        """Without a broker nothing is accepted, at any stage."""
        stages: list[Callable[[], object]] = [
            lambda: None,
            self.bridge.startService,
            lambda: self.accept("basic_consume"),
            lambda: self._client().lose(_LOST),
            lambda: self.attempts[-1].outcome.errback(_REFUSED),
        ]
        for stage in stages:
            stage()
            sentence = self._refusal(self.bridge.emit("jobs-1", b"{}"))
            self.assertTrue(sentence.startswith("The broker is away: "), sentence)
            self.assertTrue(sentence.endswith("."), sentence)
