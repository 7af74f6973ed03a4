"""Tests of `towerws.amqp.lifetime`, alone and as the end of a client."""

from typing import Any

from pika import spec
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import MemoryTransport, ScriptedBroker, delivery_bytes
from towerws.amqp.errors import AMQPError, ConnectionAborted, ConnectionClosed
from towerws.amqp.lifetime import LINGER, Lifetime


class LifetimeTests(SynchronousTestCase):
    """The end of a connection."""

    def setUp(self) -> None:
        """Begin a life, with a transport whose end is in the test's hand."""
        self.clock = Clock()
        self.lifetime = Lifetime(self.clock)
        self.transport = MemoryTransport(self.clock)
        self.transport.protocol = Protocol()
        self.transport.stuck = True
        self.reason = ConnectionAborted("test")

    def test_alive(self) -> None:
        """While it lives, all may send and nobody is told anything."""
        self.lifetime.check(1)
        self.assertNoResult(self.lifetime.when_lost())
        self.assertIsNone(self.lifetime.error)

    def test_closing(self) -> None:
        """While closing, only the connection's own channel may send, and only for some time."""
        given_up: list[AMQPError] = []
        self.lifetime.begin_closing(5, given_up.append, self.reason)
        self.lifetime.check(0)
        self.assertRaises(ConnectionAborted, self.lifetime.check, 1)
        self.clock.advance(5)
        self.assertEqual(given_up, [self.reason])

    def test_flush(self) -> None:
        """What is written may leave, but not for ever."""
        lost = self.lifetime.when_lost()
        self.lifetime.end(self.reason, self.transport, flush=True)
        with self.assertRaises(ConnectionAborted):
            self.lifetime.check(0)
        self.assertTrue(self.transport.disconnecting)
        self.clock.advance(LINGER - 0.1)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(self.transport.aborted)
        self.assertNoResult(lost)

    def test_told_when_the_transport_is_closed(self) -> None:
        """Those who wait are told when the transport is closed; later askers at once."""
        lost = self.lifetime.when_lost()
        self.lifetime.end(self.reason, self.transport, flush=False)
        self.assertTrue(self.transport.aborted)
        self.assertNoResult(lost)
        self.assertNoResult(self.lifetime.when_lost())
        self.lifetime.transport_closed(self.reason)
        self.assertIs(self.successResultOf(lost), self.reason)
        self.assertIs(self.successResultOf(self.lifetime.when_lost()), self.reason)

    def test_without_transport(self) -> None:
        """A connection that never came about has nothing to drop."""
        self.lifetime.end(self.reason, None, flush=True)
        self.lifetime.transport_closed(self.reason)
        self.assertIs(self.successResultOf(self.lifetime.when_lost()), self.reason)

    def test_waiting_may_be_given_up(self) -> None:
        """Who cancels its waiting does not disturb others."""
        one, two = self.lifetime.when_lost(), self.lifetime.when_lost()
        one.addErrback(lambda _: None)
        one.cancel()
        self.lifetime.end(self.reason, None, flush=False)
        self.lifetime.transport_closed(self.reason)
        self.assertIs(self.successResultOf(two), self.reason)


class CloseTests(SynchronousTestCase):
    """Trap 20: leaving in order."""

    def setUp(self) -> None:
        """Open a channel."""
        self.broker = ScriptedBroker()
        self.broker.handshake()
        self.channel = self.broker.open_channel()
        self.client = self.broker.client

    def _close(self, within: float = 5) -> Any:
        closing = self.client.close(within=within)
        close = self.broker.take(spec.Connection.Close)
        self.assertEqual(close.reply_code, 200)
        self.assertNoResult(closing)
        return closing

    def test_answered(self) -> None:
        """The broker's answer ends it; a request that waits fails."""
        binding = self.channel.queue_bind(queue="q")
        self.broker.take(spec.Queue.Bind, 1)
        closing = self._close()
        self.broker.send(spec.Connection.CloseOk())
        self.broker.settle()
        self.assertIsNone(self.successResultOf(closing))
        self.assertIsInstance(self.client.lost, ConnectionAborted)
        self.failureResultOf(binding, ConnectionAborted)
        self.assertFalse(self.broker.transport.aborted)
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_unanswered(self) -> None:
        """A broker that does not answer is left without."""
        closing = self._close(within=5)
        self.broker.advance(4.5)
        self.assertNoResult(closing)
        self.broker.advance(1)
        self.successResultOf(closing)
        self.assertTrue(self.broker.transport.aborted)

    def test_stuck_transport(self) -> None:
        """A peer that takes no bytes cannot hold us up."""
        self.broker.transport.stuck = True
        closing = self._close()
        self.broker.send(spec.Connection.CloseOk())
        self.assertTrue(self.broker.transport.disconnecting)
        self.broker.advance(LINGER - 0.5)
        self.assertNoResult(closing)
        self.broker.advance(1)
        self.successResultOf(closing)
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_quiet_while_closing(self) -> None:
        """No deliveries are handed out any more, nothing is sent, heartbeats go on."""
        self._close()
        self.broker.send_bytes(delivery_bytes())
        self.client.ack(1, 1)
        self.failureResultOf(self.channel.queue_bind(queue="q"), ConnectionAborted)
        self.assertEqual(self.broker.deliveries, [])
        self.assertEqual(self.broker.received(), [])

    def test_both_close(self) -> None:
        """A broker that closes at the same time gets its answer as well."""
        closing = self._close()
        self.broker.send(spec.Connection.Close(320, "CONNECTION_FORCED", 0, 0))
        self.broker.take(spec.Connection.CloseOk)
        self.broker.settle()
        self.successResultOf(closing)
        self.assertIsInstance(self.client.lost, ConnectionClosed)

    def test_twice(self) -> None:
        """Closing again waits for the same end."""
        first, second = self._close(), self.client.close()
        self.assertEqual(self.broker.received(), [])
        self.broker.send(spec.Connection.CloseOk())
        self.broker.settle()
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.client.close())

    def test_at_once(self) -> None:
        """No time means no handshake; neither does a connection that is not established."""
        self.client.close(within=0)
        self.assertTrue(self.broker.transport.aborted)
        broker = ScriptedBroker()
        broker.connect()
        broker.start()
        broker.client.close(within=5)
        self.assertTrue(broker.transport.aborted)

    def test_own_reason(self) -> None:
        """The reason may be given, for the log."""
        self.client.close("the service stops", within=0)
        self.assertEqual(str(self.client.lost), "the service stops")
