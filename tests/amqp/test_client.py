"""Tests of `towerws.amqp.client`: what its user sees, and how it ends."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.internet.interfaces import ITransport
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import ScriptedBroker, delivery_bytes, frame_bytes
from tests.amqp.test_tables import deterministic
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import ConnectionAborted, ConnectionLost
from towerws.amqp.frames import HEARTBEAT_FRAME
from towerws.amqp.lifetime import LINGER
from towerws.amqp.pause import ENOUGH, MIN_PREFETCH, PAUSE, SEVERAL


class UseTests(SynchronousTestCase):
    """Consuming and acknowledging."""

    def setUp(self) -> None:
        """Do the handshake."""
        self.broker = ScriptedBroker()
        self.broker.handshake()

    def test_deliveries(self) -> None:
        """Traps 1 to 3 and 6: foreign messages come as bytes, in batches, in order."""
        self.broker.open_channel()
        bodies = ['{"name":"é"}'.encode(), b"", b"\xff\xfe", b"x" * 300_000, b"{}"]
        stream = b"".join(
            delivery_bytes(body, tag=tag, headers={"a": None, "b": [1], "c": b"\xff", "d": 2**40})
            for tag, body in enumerate(bodies, 1)
        )
        for start in range(0, len(stream), 65536):
            self.broker.send_bytes(stream[start : start + 65536])
        self.assertEqual([each.body for each in self.broker.deliveries], bodies)
        self.assertEqual([each.delivery_tag for each in self.broker.deliveries], [1, 2, 3, 4, 5])
        self.assertEqual(len(self.broker.batches), 2)
        self.assertIsNone(self.broker.client.lost)

    def test_oversized(self) -> None:
        """Trap 24: a message over the limit is told, not kept."""
        broker = ScriptedBroker(max_body=10)
        broker.handshake()
        broker.open_channel()
        broker.send_bytes(delivery_bytes(b"x" * 11))
        self.assertTrue(broker.deliveries[0].oversized)

    def test_ack(self) -> None:
        """One frame acknowledges many."""
        self.broker.open_channel()
        self.broker.client.ack(1, 500, multiple=True)
        ack = self.broker.take(spec.Basic.Ack, 1)
        self.assertEqual((ack.delivery_tag, ack.multiple), (500, True))

    def test_channel_numbers(self) -> None:
        """Trap 22: numbers are the caller's, from 1 to what the broker allows, each once."""
        broker = ScriptedBroker()
        self.assertRaises(ValueError, broker.client.open_channel, 1)
        broker.handshake(channel_max=2)
        broker.open_channel(2)
        for number in (0, 2, 3, -1):
            self.assertRaises(ValueError, broker.client.open_channel, number)

    def test_socket_options(self) -> None:
        """Small frames leave at once, and dead peers are noticed by TCP as well."""
        self.assertTrue(self.broker.transport.getTcpNoDelay())
        self.assertTrue(self.broker.transport.getTcpKeepAlive())

    def test_transport_without_options(self) -> None:
        """A transport that is not TCP, such as a Unix socket, will do."""
        broker = ScriptedBroker()
        transport = StringTransport()
        self.assertTrue(ITransport.providedBy(transport))
        broker.client.makeConnection(transport)
        self.assertEqual(transport.value(), b"AMQP\x00\x00\x09\x01")

    def test_no_deprecated_calls(self) -> None:
        """Trap 29: nothing of txamqp that Twisted is about to break is used."""
        self.broker.confirming_channel()
        self.broker.send_bytes(delivery_bytes())
        published = self.broker.client.publish(1, "e", "k", b"", {})
        self.broker.send(spec.Basic.Ack(1), 1)
        self.successResultOf(published)
        self.broker.client.close(within=1)
        self.broker.send(spec.Connection.CloseOk())
        self.broker.settle()
        self.assertEqual(self.flushWarnings(), [])


class PauseTests(SynchronousTestCase):
    """Reading less often while events come in quick succession."""

    def setUp(self) -> None:
        """Open a channel, and keep the state of reading at each delivery."""
        self.states: list[str] = []
        self.broker: ScriptedBroker = ScriptedBroker(on_deliveries=self._note_state)
        self.broker.handshake()
        self.broker.open_channel()
        self.broker.client.pause.allow(MIN_PREFETCH)
        self.burst = b"".join(delivery_bytes(tag=tag) for tag in range(1, SEVERAL + 1))

    def _note_state(self, _deliveries: list[Delivery]) -> None:
        self.states.append(self.broker.transport.producerState)

    def test_burst(self) -> None:
        """A read of several events pauses reading, from before they are delivered, for a moment."""
        self.broker.send_bytes(self.burst)
        self.assertEqual(self.states, ["paused"])
        self.broker.clock.advance(PAUSE)
        self.assertEqual(self.broker.transport.producerState, "producing")

    def test_much(self) -> None:
        """A read that was worth its turn of the reactor is followed by the next one."""
        self.broker.send_bytes(self.burst + delivery_bytes(bytes(ENOUGH)))
        self.assertEqual(self.states, ["producing"])

    def test_closing(self) -> None:
        """While closing, what the broker answers is not kept waiting."""
        self.broker.client.close()
        self.broker.send_bytes(self.burst)
        self.assertEqual(self.broker.transport.producerState, "producing")

    def test_end(self) -> None:
        """With the connection the pause ends, so that a transport with TLS can say goodbye."""
        self.broker.send_bytes(self.burst)
        self.broker.send(spec.Connection.Close(320, "gone", 0, 0))
        self.assertEqual(self.broker.transport.producerState, "producing")
        self.broker.settle()
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])


class FuzzTests(SynchronousTestCase):
    """A broker gone mad."""

    @deterministic
    @given(st.binary(max_size=100), st.sampled_from([b"", b"\x01\x00\x01\x00\x00\x00"]))
    def test_arbitrary_bytes(self, data: bytes, start: bytes) -> None:
        """Any bytes are understood, kept for more, or the reason of the end; nothing else."""
        broker = ScriptedBroker()
        broker.handshake()
        broker.open_channel()
        broker.send_bytes(start + data)
        broker.settle()
        self.assertEqual(broker.client.lost is not None, broker.transport.disconnected)
        self.assertEqual(self.flushLoggedErrors(), [])

    @deterministic
    @given(
        st.sampled_from(sorted(spec.methods)), st.binary(max_size=40), st.sampled_from([0, 1, 2])
    )
    def test_arbitrary_methods(self, number: int, arguments: bytes, channel_id: int) -> None:
        """The same with frames that are right, and any method with any arguments in them."""
        broker = ScriptedBroker()
        broker.handshake()
        broker.open_channel()
        payload = number.to_bytes(4, "big") + arguments
        broker.send_bytes(frame_bytes(1, channel_id, payload))
        broker.clock.advance(LINGER)
        broker.settle()
        self.assertEqual(broker.client.lost is not None, broker.transport.disconnected)
        self.assertEqual(self.flushLoggedErrors(), [])


class HeartbeatTests(SynchronousTestCase):
    """Trap 23: heartbeats as a part of the connection."""

    def setUp(self) -> None:
        """Agree on 10 seconds."""
        self.broker = ScriptedBroker()
        self.broker.handshake(heartbeat=10)

    def test_sent(self) -> None:
        """An idle client sends one each half interval; acknowledgements stand for one."""
        self.broker.clock.advance(5)
        self.broker.transport.clear()
        self.broker.clock.advance(5)
        self.assertEqual(self.broker.transport.value(), HEARTBEAT_FRAME)
        self.broker.client.ack(1, 1)
        self.broker.transport.clear()
        self.broker.clock.advance(5)
        self.assertEqual(self.broker.transport.value(), b"")

    def test_missed(self) -> None:
        """A silent broker is given up after two intervals, with a reason that says so."""
        lost = self.broker.client.when_lost()
        for _ in range(6):
            self.broker.clock.advance(5)
            self.broker.send_bytes(HEARTBEAT_FRAME)
        self.assertNoResult(lost)
        self.broker.clock.pump([5] * 5 + [0])
        reason = self.successResultOf(lost)
        self.assertIsInstance(reason, ConnectionLost)
        self.assertIn("nothing came from the broker for 20 s", str(reason))
        self.assertTrue(self.broker.transport.aborted)
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])


class EndTests(SynchronousTestCase):
    """The end: once, prompt, with a reason."""

    def setUp(self) -> None:
        """Do the handshake."""
        self.broker = ScriptedBroker()
        self.broker.handshake()
        self.client = self.broker.client

    def test_abort(self) -> None:
        """An abort drops the transport; the reason comes when it is closed, also to late askers."""
        lost = self.client.when_lost()
        self.assertIsNone(self.client.lost)
        self.client.abort("enough")
        self.client.abort("another reason")
        self.assertTrue(self.broker.transport.aborted)
        self.assertNoResult(lost)
        self.broker.settle()
        for each in (lost, self.client.when_lost()):
            reason = self.successResultOf(each)
            self.assertIsInstance(reason, ConnectionAborted)
            self.assertEqual(str(reason), "enough")

    def test_transport_lost(self) -> None:
        """A transport that fails is a reason, too; no timer is left (trap 19)."""
        lost = self.client.when_lost()
        self.broker.transport.lose(OSError("cable cut"))
        self.assertIn("cable cut", str(self.successResultOf(lost)))
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_order_of_the_end(self) -> None:
        """Requests fail before the end is told, however it comes; the first reason counts."""
        for way in ("abort", "loss"):
            broker = ScriptedBroker()
            broker.handshake()
            told: list[Any] = []
            broker.open_channel().queue_bind(queue="q").addErrback(told.append)
            broker.client.when_lost().addCallback(told.append)
            if way == "loss":
                broker.transport.lose(OSError("cable cut"))
            broker.client.abort("enough")
            broker.settle()
            request, connection = told
            self.assertIs(request.value, connection)
            self.assertIn({"abort": "enough", "loss": "cable cut"}[way], str(connection))

    def test_error_in_callback(self) -> None:
        """Trap 21: an error of ours is logged with its traceback and ends the connection."""

        def fail(_deliveries: list[Delivery]) -> None:
            raise ZeroDivisionError

        broker = ScriptedBroker(on_deliveries=fail)
        broker.handshake()
        broker.open_channel()
        broker.send_bytes(delivery_bytes())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("error of this side", str(broker.client.lost))
        self.assertTrue(broker.transport.aborted)

    def test_nothing_after_the_end(self) -> None:
        """Trap 17: deliveries after the end are not handed out, acknowledgements not sent."""
        self.broker.open_channel()
        self.client.abort("enough")
        self.broker.send_bytes(delivery_bytes())
        self.client.ack(1, 1)
        self.assertEqual(self.broker.deliveries, [])
        self.assertEqual(self.broker.received(), [])

    def test_abort_before_the_connection(self) -> None:
        """A client that is given up before it has a transport drops the one it gets."""
        broker = ScriptedBroker()
        broker.client.abort("enough")
        self.assertIsInstance(self.successResultOf(broker.client.when_lost()), ConnectionAborted)
        broker.client.makeConnection(broker.transport)
        self.assertTrue(broker.transport.aborted)
        self.assertEqual(broker.transport.value(), b"")
        broker.settle()
