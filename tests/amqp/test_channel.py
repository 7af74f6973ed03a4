"""Tests of `towerws.amqp.channel`: requests and replies."""

from typing import Any

from pika import spec
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import ScriptedBroker
from towerws.amqp.confirms import ConfirmLimits
from towerws.amqp.errors import (
    ConnectionAborted,
    EncodeError,
    ProtocolViolation,
    PublishBlocked,
    PublishOverflow,
    PublishRefused,
    ReplyTimeout,
)


class RequestTests(SynchronousTestCase):
    """Requests on an open channel."""

    def setUp(self) -> None:
        """Open channel 1."""
        self.broker = ScriptedBroker()
        self.broker.handshake()
        self.channel: Any = self.broker.open_channel()

    def test_declare(self) -> None:
        """A request carries its arguments, and its reply comes back as attributes."""
        declaring = self.channel.queue_declare(
            queue="", exclusive=True, auto_delete=True, arguments={"x-single-active-consumer": True}
        )
        request = self.broker.take(spec.Queue.Declare, 1)
        self.assertTrue(request.exclusive)
        self.assertIs(request.arguments["x-single-active-consumer"], True)
        self.broker.send(spec.Queue.DeclareOk("amq.gen-1", 5, 0), 1)
        reply = self.successResultOf(declaring)
        self.assertEqual((reply.queue, reply.message_count), ("amq.gen-1", 5))

    def test_names_are_encoded_first(self) -> None:
        """Trap 4: lengths of non-ASCII names are right on the wire."""
        self.channel.queue_bind(queue="warteschlange-ä", exchange="e", routing_key="gruppe-ß")
        request = self.broker.take(spec.Queue.Bind, 1)
        self.assertEqual((request.queue, request.routing_key), ("warteschlange-ä", "gruppe-ß"))

    def test_pipelined(self) -> None:
        """Requests that do not wait for each other are answered in order."""
        first, second = (self.channel.queue_declare(queue=name) for name in ("aa", "bb"))
        self.broker.take(spec.Queue.Declare, 1)
        self.broker.take(spec.Queue.Declare, 1)
        self.broker.send(spec.Queue.DeclareOk("aa", 0, 0), 1)
        self.assertEqual(self.successResultOf(first).queue, "aa")
        self.assertNoResult(second)
        self.broker.send(spec.Queue.DeclareOk("bb", 0, 0), 1)
        self.assertEqual(self.successResultOf(second).queue, "bb")

    def test_nowait(self) -> None:
        """Trap 11: a request that wants no reply waits for none."""
        self.assertIsNone(self.successResultOf(self.channel.queue_declare(queue="q", nowait=True)))
        self.assertTrue(self.broker.take(spec.Queue.Declare, 1).nowait)
        self.assertEqual(self.broker.clock.getDelayedCalls()[1:], [])

    def test_no_reply(self) -> None:
        """A method that has no reply is done when it is sent."""
        self.assertIsNone(self.successResultOf(self.channel.basic_reject(delivery_tag=1)))

    def test_unencodable(self) -> None:
        """Trap 8: a value that cannot be encoded fails its request alone; nothing is sent."""
        for arguments in ({"k": object()}, {"k": "x" * 200_000}):
            self.failureResultOf(
                self.channel.queue_declare(queue="q", arguments=arguments), EncodeError
            )
        self.assertEqual(self.broker.received(), [])
        self.assertIsNone(self.broker.client.lost)
        declaring = self.channel.queue_declare(queue="q")
        self.broker.send(spec.Queue.DeclareOk("q", 0, 0), 1)
        self.successResultOf(declaring)

    def test_methods_with_a_message(self) -> None:
        """Messages go by `Client.publish` and come by deliveries, not by requests."""
        self.failureResultOf(self.channel.basic_publish(exchange="e"), EncodeError)
        self.failureResultOf(self.channel.basic_get(queue="q"), EncodeError)
        self.assertEqual(self.broker.received(), [])

    def test_cancelled(self) -> None:
        """Trap 18: a request that is given up takes the connection with it; no reply is shifted."""
        first, second = (self.channel.queue_declare(queue=name) for name in ("aa", "bb"))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.failureResultOf(second, ConnectionAborted)
        self.assertTrue(self.broker.transport.aborted)

    def test_unasked_reply(self) -> None:
        """A reply to nothing is a breach of protocol."""
        self.broker.send(spec.Queue.DeclareOk("q", 0, 0), 1)
        self.assertIsInstance(self.broker.client.lost, ProtocolViolation)

    def test_wrong_reply(self) -> None:
        """A reply to another request than the oldest is a breach of protocol."""
        binding = self.channel.queue_bind(queue="q")
        self.broker.send(spec.Queue.DeclareOk("q", 0, 0), 1)
        self.failureResultOf(binding, ProtocolViolation)

    def test_no_reply_comes(self) -> None:
        """A broker that goes on with heartbeats but answers nothing is given up."""
        binding = self.channel.queue_bind(queue="q")
        for _ in range(58):
            self.broker.advance(0.5)
            self.broker.send_bytes(b"\x08\x00\x00\x00\x00\x00\x00\xce")
        self.assertNoResult(binding)
        self.broker.advance(2)
        self.assertIn("queue.bind within 30 s", str(self.failureResultOf(binding, ReplyTimeout)))

    def test_after_the_end(self) -> None:
        """Trap 16: a request on a lost connection fails with the reason, one kind of exception."""
        self.broker.client.abort("test")
        error = self.failureResultOf(self.channel.queue_declare(queue="q")).value
        self.assertIs(error, self.broker.client.lost)

    def test_end_while_waiting(self) -> None:
        """Requests that wait when the transport closes fail with the reason."""
        binding = self.channel.queue_bind(queue="q")
        self.broker.transport.lose(OSError("cable cut"))
        self.assertIn("cable cut", str(self.failureResultOf(binding).value))
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])


class PublishTests(SynchronousTestCase):
    """Traps 15 and 26: publishing with confirmation."""

    def setUp(self) -> None:
        """Open channel 1 in confirm mode."""
        self.broker = ScriptedBroker(confirm_limits=ConfirmLimits(messages=2))
        self.broker.handshake()
        self.channel = self.broker.confirming_channel()

    def _publish(self, body: bytes = b"{}", **properties: object) -> Any:
        return self.broker.client.publish(1, "towerws.events", "jobs-summary", body, properties)

    def test_confirmed(self) -> None:
        """A publish is done when the broker says so."""
        waiting = self._publish(content_type="application/json")
        method, header, body = self.broker.received()
        self.assertEqual(method.method.routing_key, "jobs-summary")
        self.assertEqual(header.properties.content_type, "application/json")
        self.assertEqual(body.fragment, b"{}")
        self.assertNoResult(waiting)
        self.broker.send(spec.Basic.Ack(1), 1)
        self.assertIsNone(self.successResultOf(waiting))
        self.assertIsNone(self.broker.client.lost)

    def test_refused(self) -> None:
        """A nack fails the publish alone."""
        waiting = self._publish()
        self.broker.send(spec.Basic.Nack(1), 1)
        self.failureResultOf(waiting, PublishRefused)
        self.assertIsNone(self.broker.client.lost)

    def test_overflow(self) -> None:
        """Publishes beyond the limit fail at once and are not sent."""
        waiting = [self._publish(), self._publish()]
        self.broker.received()
        self.failureResultOf(self._publish(), PublishOverflow)
        self.assertEqual(self.broker.received(), [])
        self.broker.send(spec.Basic.Ack(2, multiple=True), 1)
        for each in waiting:
            self.successResultOf(each)
        self._publish()
        self.assertEqual(len(self.broker.received()), 3)

    def test_blocked(self) -> None:
        """During an alarm publishes fail at once; they work again after it."""
        self.broker.send(spec.Connection.Blocked("low on memory"))
        self.assertEqual(self.broker.client.blocked, "low on memory")
        text = str(self.failureResultOf(self._publish(), PublishBlocked).value)
        self.assertRegex(text, "^nothing was sent: .* takes no messages for now: low on memory$")
        self.assertEqual(self.broker.received(), [])
        self.broker.send(spec.Connection.Unblocked())
        self.assertIsNone(self.broker.client.blocked)
        self._publish()
        self.assertEqual(self.broker.blocks, [(True, "low on memory"), (False, "")])

    def test_blocked_while_waiting(self) -> None:
        """What waits when an alarm comes fails at once; that it is confirmed later does no harm."""
        waiting = [self._publish(), self._publish()]
        self.broker.send(spec.Connection.Blocked("low on disk"))
        for each in waiting:
            text = str(self.failureResultOf(each, PublishBlocked).value)
            self.assertRegex(text, "^it was sent and may be taken later, but .*: low on disk$")
        # However long the alarm: a broker that does not read owes no answer.
        self.broker.clock.advance(self.broker.client.reply_timeout)
        self.broker.send(spec.Connection.Unblocked())
        self.broker.send(spec.Basic.Ack(1), 1)
        later = self._publish()
        self.broker.send(spec.Basic.Ack(3, multiple=True), 1)
        self.successResultOf(later)
        self.assertIsNone(self.broker.client.lost)

    def test_unencodable(self) -> None:
        """Trap 8: a property that cannot be encoded fails its publish alone and is not counted."""
        self.failureResultOf(self._publish(headers={"k": object()}), EncodeError)
        waiting = self._publish()
        self.broker.send(spec.Basic.Ack(1), 1)
        self.successResultOf(waiting)

    def test_end_of_the_connection(self) -> None:
        """What waits for confirmation when the connection ends fails with the reason."""
        waiting = self._publish()
        self.broker.client.abort("test")
        self.failureResultOf(waiting, ConnectionAborted)
        self.failureResultOf(self._publish(), ConnectionAborted)

    def test_no_confirmation_comes(self) -> None:
        """A broker that confirms nothing any more is given up."""
        waiting = self._publish()
        self.broker.advance(30)
        self.assertIn("did not confirm", str(self.failureResultOf(waiting, ReplyTimeout)))

    def test_unasked_confirmation(self) -> None:
        """Confirmations of what was not published, or not asked for, are breaches of protocol."""
        self.broker.send(spec.Basic.Ack(1), 1)
        self.assertIsInstance(self.broker.client.lost, ProtocolViolation)
        broker = ScriptedBroker()
        broker.handshake()
        broker.open_channel()
        broker.send(spec.Basic.Ack(1), 1)
        self.assertIsInstance(broker.client.lost, ProtocolViolation)

    def test_selected_twice(self) -> None:
        """Asking again for confirm mode keeps the numbering, as the broker does."""
        waiting = self._publish()
        self.channel.confirm_select()
        self.broker.send(spec.Basic.Ack(1), 1)
        self.successResultOf(waiting)

    def test_wrong_channel(self) -> None:
        """Publishing on a channel that is closed or not in confirm mode is a mistake of ours."""
        self.broker.open_channel(2)
        for channel_id in (2, 3):
            with self.assertRaises(ValueError):
                self.broker.client.publish(channel_id, "e", "k", b"", {})
