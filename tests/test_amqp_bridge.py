"""`towerws.amqp_bridge`: life with a broker that comes and goes."""

import os
import socket

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from tests.bridge_case import LOST, REFUSED, BridgeCase
from tests.fake_broker import FakeClient, delivery
from towerws.amqp_bridge import STABLE_AFTER, BridgeSettings
from towerws.broker_emitter import CLOSE_WITHIN
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics


class ConnectingTests(BridgeCase):
    """How a connection is sought."""

    def test_options(self) -> None:
        """The client is made with the limits of the bridge, on its reactor."""
        self.bridge.startService()
        (attempt,) = self.attempts
        self.assertEqual(attempt.host, ("one", 5672))
        self.assertIs(attempt.options["reactor"], self.clock)
        self.assertEqual(attempt.options["max_body"], 1000)

    def test_connection_names(self) -> None:
        """The broker's operators can tell the two connections of a process apart, and the node."""
        self.start()
        self.bridge.emit("jobs-1", b"{}")
        self.accept()
        self.assertEqual(
            [attempt.options["connection_name"] for attempt in self.attempts],
            [
                f"towerws {role} {socket.gethostname()}:{os.getpid()}"
                for role in ("consumer", "producer")
            ],
        )

    def test_in_service(self) -> None:
        """Ready when everything is prepared, not when the connection is there."""
        self.bridge.startService()
        self.assertEqual(self.bridge.unready(), "not connected to the broker yet")
        client = self.accept("basic_consume")
        self.assertEqual(self.bridge.unready(), "not connected to the broker yet")
        self.assertEqual(self.counted("towerws_broker_connected"), 0)
        client.release("basic_consume")
        self.assertIsNone(self.bridge.unready())
        self.assertEqual(self.counted("towerws_broker_connected"), 1)
        self.assertEqual(self.counted("towerws_broker_connections_total"), 1)

    def test_hosts_in_turn(self) -> None:
        """All hosts are tried before there is a pause, and again in the same order."""
        self.bridge.startService()
        for hosts in (1, 2, 3):
            self.attempts[-1].outcome.errback(REFUSED)
            self.assertEqual(self.bridge.unready(), str(REFUSED))
            self.assertEqual(len(self.attempts), 2 * hosts)
            self.attempts[-1].outcome.errback(REFUSED)
            self.assertEqual(len(self.attempts), 2 * hosts)
            self.clock.advance(1)
        self.assertEqual(
            [attempt.host for attempt in self.attempts[:6]], [("one", 5672), ("two", 5673)] * 3
        )
        self.assertEqual(self.delays, [0, 1, 2])

    def test_second_host(self) -> None:
        """The second host is as good as the first."""
        self.bridge.startService()
        self.attempts[-1].outcome.errback(REFUSED)
        self.accept()
        self.assertIsNone(self.bridge.unready())

    def test_host_that_drops(self) -> None:
        """A host whose connections do not last lets the others have their turn."""
        self.start().lose(LOST)
        for host in ("two", "one", "two"):
            self.clock.advance(1)
            self.assertEqual(self.attempts[-1].host[0], host)
            self.accept().lose(LOST)
        self.clock.advance(1)
        self.accept()
        self.clock.advance(STABLE_AFTER)
        self.consuming().lose(LOST)
        self.clock.advance(1)
        self.assertEqual(self.attempts[-1].host[0], "one")

    def test_real_delays(self) -> None:
        """Pauses grow to a few seconds and no further, with jitter."""
        bridge = self.make_bridge(self.feed, BridgeSettings(), Metrics())
        delays = [bridge._retry_delay(attempt) for attempt in range(100)]
        self.assertLess(delays[0], 1.1)
        self.assertGreaterEqual(min(delays), 0.1)
        self.assertLessEqual(max(delays), 3.5)
        self.assertGreater(len(set(delays)), 50)

    def test_preparation_fails(self) -> None:
        """A connection that cannot be put to use is given up, and the next host tried."""
        client = self.start("queue_declare")
        client.lose(LOST)
        self.assertEqual(client.aborted, ["the preparation of the connection failed"])
        self.assertEqual(self.attempts[-1].host, ("two", 5673))
        self.assertEqual(self.bridge.unready(), str(LOST))

    def test_loss_while_binding(self) -> None:
        """So is one that is lost while groups are bound, however many."""
        _, in_force = self.subscribe("jobs-1", "jobs-2")
        client = self.start("queue_bind")
        client.lose(LOST)
        self.assertEqual(self.attempts[-1].host, ("two", 5673))
        self.accept()
        self.assertEqual(len(in_force), 1)

    def test_lost_soon(self) -> None:
        """Connections that do not last make the pauses longer, those that last do not."""
        self.start()
        for lived, attempt in (
            (0, 0),
            (1, 1),
            (STABLE_AFTER - 1, 2),
            (STABLE_AFTER, 0),
            (1, 1),
            (3600, 0),
        ):
            client = FakeClient(self.clock)
            if self.delays:
                self.attempts[-1].outcome.callback(client)
            else:
                client = self.consuming()
            self.clock.advance(lived)
            client.lose(LOST)
            self.assertEqual(self.delays[-1], attempt)
            self.assertEqual(self.bridge.unready(), str(LOST))
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
            self.attempts[-1].outcome.errback(REFUSED)
            self.accept().lose(LOST)
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(len(lines), 3)
        self.assertIn("no events from the broker at one:5672: the connection", lines[0])
        self.assertIn("consuming from the broker at two:5673", lines[1])
        self.assertEqual(lines[2], f"lost the broker: {LOST}")
        self.assertNotIn("s3cret", repr(self.bridge) + str(self.bridge) + "".join(lines))


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
        self.start().lose(LOST)
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
        self.assertEqual(len(connection.gaps), 1)
