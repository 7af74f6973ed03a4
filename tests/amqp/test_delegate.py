"""Tests of `towerws.amqp.delegate`: the handshake, and what the broker does of its own accord."""

from typing import Any

from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import ScriptedBroker, delivery_bytes
from towerws import __version__
from towerws.amqp.errors import (
    AuthenticationFailed,
    ChannelClosed,
    ConnectionClosed,
    ConnectionLost,
    ConsumerCancelled,
    DecodeError,
    EncodeError,
    ProtocolViolation,
)
from towerws.core.broker_url import BrokerURL


class HandshakeTests(SynchronousTestCase):
    """From the first byte to the open vhost."""

    def setUp(self) -> None:
        """Connect."""
        self.broker = ScriptedBroker(connection_name="node 1")
        self.broker.connect()

    def test_start(self) -> None:
        """Traps 14, 15 and 20: we say who we are, and which of RabbitMQ's extensions we know."""
        answer = self.broker.start(version="3.10.8")
        self.assertEqual(answer.mechanism, "PLAIN")
        self.assertEqual(answer.response, b"\0user\0secret")
        properties = answer.client_properties
        self.assertEqual(properties["product"], "towerws")
        self.assertEqual(properties["version"], __version__)
        self.assertEqual(properties["connection_name"], "node 1")
        self.assertEqual(
            properties["capabilities"],
            dict.fromkeys(
                (
                    "authentication_failure_close",
                    "basic.nack",
                    "connection.blocked",
                    "consumer_cancel_notify",
                    "exchange_exchange_bindings",
                    "publisher_confirms",
                ),
                True,
            ),
        )
        self.assertEqual(self.broker.client.server_properties["version"], "3.10.8")

    def test_non_ascii_password(self) -> None:
        """Trap 5: user and password are sent as UTF-8, with the length of their bytes."""
        broker = ScriptedBroker(BrokerURL.parse("amqp://us%C3%A9r:p%C3%A9ss@h"))
        broker.connect()
        self.assertEqual(broker.start().response, "\0usér\0péss".encode())

    def test_no_plain(self) -> None:
        """A broker that takes no passwords is named as what it is."""
        self.broker.send(spec.Connection.Start(server_properties={}, mechanisms="EXTERNAL"))
        self.assertIn("only EXTERNAL", str(self.broker.client.lost))

    def test_tune(self) -> None:
        """Trap 23: of two heartbeats the shorter one, and the broker's sizes."""
        self.broker.start()
        answer = self.broker.tune(channel_max=7, frame_max=8192, heartbeat=10)
        self.assertEqual((answer.channel_max, answer.frame_max, answer.heartbeat), (7, 8192, 10))
        self.assertEqual((self.broker.client.frame_max, self.broker.client.heartbeat), (8192, 10))

    def test_heartbeats(self) -> None:
        """Trap 23: ours unless the broker's is shorter; ours if the broker leaves it to us."""
        for ours, theirs, agreed in ((20, 60, 20), (20, 0, 20), (0, 60, 0), (0, 0, 0)):
            broker = ScriptedBroker(BrokerURL.parse(f"amqp://h?heartbeat={ours}"))
            broker.connect()
            broker.start()
            self.assertEqual(broker.tune(heartbeat=theirs).heartbeat, agreed)

    def test_no_limits(self) -> None:
        """Trap 25: a broker without limits gets ours, and bodies are cut to that size."""
        self.broker.start()
        answer = self.broker.tune(channel_max=0, frame_max=0)
        self.assertEqual((answer.channel_max, answer.frame_max), (65535, 131072))
        self.broker.send(spec.Connection.OpenOk())
        self.broker.confirming_channel()
        self.broker.client.publish(1, "e", "k", b"x" * 200_000, {})
        sizes = [len(frame.fragment) for frame in self.broker.received()[2:]]
        self.assertEqual(sizes, [131064, 68936])

    def test_tiny_frames(self) -> None:
        """A frame size below the specification's least is refused."""
        self.broker.start()
        self.broker.send(spec.Connection.Tune(0, 1000, 0))
        self.assertIsInstance(self.broker.client.lost, ProtocolViolation)

    def test_ready(self) -> None:
        """The client is ready when the vhost is open."""
        self.broker.start()
        self.broker.send(spec.Connection.Tune(0, 0, 0))
        self.broker.take(spec.Connection.TuneOk)
        self.assertEqual(self.broker.take(spec.Connection.Open).virtual_host, "/")
        self.assertNoResult(self.broker.client.ready)
        self.broker.send(spec.Connection.OpenOk())
        self.assertIsNone(self.successResultOf(self.broker.client.ready))

    def test_wrong_password(self) -> None:
        """Trap 20: a refusal comes as its own error, with the broker's words, at once."""
        self.broker.start()
        self.broker.send(spec.Connection.Close(403, "ACCESS_REFUSED - Login was refused", 0, 0))
        error = self.successResultOf(self.broker.client.ready)
        self.assertIsInstance(error, AuthenticationFailed)
        self.assertIn("Login was refused", str(error))
        self.assertNotIn("secret", str(error))

    def test_dropped_while_authenticating(self) -> None:
        """Trap 20: a broker that drops the connection instead is given away by the text."""
        self.broker.start()
        self.broker.transport.loseConnection()
        self.broker.settle()
        error = self.successResultOf(self.broker.client.ready)
        self.assertIsInstance(error, ConnectionLost)
        self.assertIn("credentials", str(error))

    def test_wrong_vhost(self) -> None:
        """A missing vhost comes with the broker's words."""
        self.broker.start()
        self.broker.tune()
        self.broker.send(spec.Connection.Close(530, "NOT_ALLOWED - vhost nope not found", 10, 40))
        error = self.successResultOf(self.broker.client.ready)
        self.assertIsInstance(error, ConnectionClosed)
        self.assertIn("530 NOT_ALLOWED - vhost nope not found", str(error))

    def test_out_of_order(self) -> None:
        """Steps of the handshake that come twice or too early are breaches of protocol."""
        self.broker.send(spec.Connection.Tune(0, 0, 0))
        self.assertIsInstance(self.broker.client.lost, ProtocolViolation)
        broker = ScriptedBroker()
        broker.handshake()
        broker.send(spec.Connection.Start(server_properties={}))
        self.assertIsInstance(broker.client.lost, ProtocolViolation)

    def test_unencodable_settings(self) -> None:
        """Trap 8: a setting that cannot be sent ends the handshake instead of hanging it."""
        broker = ScriptedBroker(connection_name="\ud800")
        broker.connect()
        broker.send(spec.Connection.Start(server_properties={}))
        self.assertIsInstance(self.successResultOf(broker.client.ready), EncodeError)


class OccasionTests(SynchronousTestCase):
    """What a broker does to an established connection."""

    def setUp(self) -> None:
        """Open channel 1, with a request that waits."""
        self.broker = ScriptedBroker()
        self.broker.handshake()
        self.waiting = self.broker.open_channel().queue_bind(queue="q")
        self.broker.received()

    def _end(self) -> Any:
        """The reason, if the connection ended with it for everybody who waited."""
        self.broker.settle()
        reason = self.successResultOf(self.broker.client.when_lost())
        self.assertIs(self.failureResultOf(self.waiting).value, reason)
        self.assertTrue(self.broker.transport.disconnected)
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])
        return reason

    def test_channel_closed(self) -> None:
        """Trap 13: an error on a channel ends the connection, after it was agreed to."""
        self.broker.send(spec.Channel.Close(404, "NOT_FOUND - no queue 'q'", 50, 20), 1)
        self.broker.take(spec.Channel.CloseOk, 1)
        reason = self._end()
        self.assertIsInstance(reason, ChannelClosed)
        self.assertEqual((reason.code, reason.channel_id), (404, 1))
        self.assertEqual(str(reason), "the broker closed channel 1: 404 NOT_FOUND - no queue 'q'")

    def test_consumer_cancelled(self) -> None:
        """Trap 14: a deleted queue ends the connection; it would be silent for ever."""
        self.broker.send(spec.Basic.Cancel("my consumer", nowait=True), 1)
        reason = self._end()
        self.assertIsInstance(reason, ConsumerCancelled)
        self.assertEqual(reason.consumer_tag, "my consumer")

    def test_connection_closed(self) -> None:
        """A shutdown is agreed to and reported with the broker's words."""
        self.broker.send(spec.Connection.Close(320, "CONNECTION_FORCED - shutdown", 0, 0))
        self.broker.take(spec.Connection.CloseOk)
        self.assertTrue(self.broker.transport.disconnecting)
        reason = self._end()
        self.assertIsInstance(reason, ConnectionClosed)
        self.assertEqual((reason.code, reason.broker_text), (320, "CONNECTION_FORCED - shutdown"))

    def test_flow(self) -> None:
        """channel.flow, which RabbitMQ no longer sends, is confirmed."""
        self.broker.send(spec.Channel.Flow(False), 1)
        self.assertFalse(self.broker.take(spec.Channel.FlowOk, 1).active)

    def test_blocked_without_callback(self) -> None:
        """Nobody has to care for alarms."""
        broker = ScriptedBroker(on_blocked=None)
        broker.handshake()
        broker.send(spec.Connection.Blocked("disk"))
        self.assertTrue(broker.client.blocked)

    def test_unknown_method(self) -> None:
        """Trap 12: a method that does not exist ends the connection with a reason."""
        self.broker.send_bytes(b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x03\xe7\xce")
        reason = self._end()
        self.assertIsInstance(reason, DecodeError)
        self.assertIn("no method 999 of class 60", str(reason))

    def test_unexpected_methods(self) -> None:
        """Trap 12: methods that only clients send, or on a wrong channel, end the connection."""
        for method, channel_id in (
            (spec.Queue.Declare(), 1),
            (spec.Basic.Return(312, "NO_ROUTE", "e", "k"), 1),
            (spec.Connection.Secure("challenge"), 0),
            (spec.Connection.Blocked("x"), 1),
            (spec.Channel.Close(404, "x", 0, 0), 0),
            (spec.Basic.Cancel("x"), 9),
        ):
            broker = ScriptedBroker()
            broker.handshake()
            broker.open_channel()
            broker.send(method, channel_id)
            self.assertIsInstance(broker.client.lost, ProtocolViolation, method)
            self.assertTrue(broker.transport.aborted)

    def test_garbage(self) -> None:
        """Bytes that are no frame end the connection with a reason."""
        self.broker.send_bytes(delivery_bytes() + b"HTTP/1.1 400")
        self.assertIn("does not speak AMQP", str(self._end()))
        self.assertEqual([each.delivery_tag for each in self.broker.deliveries], [1])
