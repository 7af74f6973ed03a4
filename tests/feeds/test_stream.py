"""`towerws.feeds.stream`: one connection after the other to the stream."""

from twisted.internet.defer import CancelledError, Deferred

from tests.fake_broker import FakeClient
from tests.feeds.stream_case import LOST, StreamCase
from tests.feeds.streams import message, messages
from towerws.amqp.consumer import ACK_DELAY, CANCEL_WITHIN
from towerws.amqp.errors import AMQPError, ChannelClosed, ConnectionAborted, PublishBlocked
from towerws.feeds.marks import ROUTING_KEY
from towerws.feeds.stream import CATCH_UP_WITHIN, SILENCE, StreamSettings

_ARGUMENTS = {
    "x-queue-type": "stream",
    "x-max-length-bytes": 1 << 30,
    "x-max-age": "86400s",
    "x-stream-max-segment-size-bytes": 1 << 26,
}


class BeginTests(StreamCase):
    """What is asked of the broker, and what is waited for."""

    def test_order(self) -> None:
        """Exchange, stream, binding, deliveries; then the mark."""
        begun = self.begin("basic_consume")
        self.assertEqual(self.connect.attempts, [])
        self.client.reply_to("basic_consume")
        self.assertEqual(
            [(call.name, call.arguments) for call in self.client.calls if call.arguments],
            [
                ("exchange_declare", {"exchange": "events", "type": "topic", "durable": True}),
                (
                    "queue_declare",
                    {"queue": "events.stream", "durable": True, "arguments": _ARGUMENTS},
                ),
                (
                    "queue_bind",
                    {"queue": "events.stream", "exchange": "events", "routing_key": "#"},
                ),
                ("basic_qos", {"prefetch_count": 8}),
                (
                    "basic_consume",
                    {"queue": "events.stream", "arguments": {"x-stream-offset": "60s"}},
                ),
            ],
        )
        mark = self.publish_mark()
        self.assertNoResult(begun)
        self.feed.delivered([message(0, mark, ROUTING_KEY)])
        self.successResultOf(begun)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_mark_before_its_confirmation(self) -> None:
        """The stream may be faster than the confirmation."""
        begun = self.begin()
        publisher = FakeClient(self.clock)
        publisher.confirmation = Deferred()
        self.connect.attempts[-1].outcome.callback(publisher)
        self.feed.delivered([message(0, publisher.published[0][3], ROUTING_KEY)])
        self.assertNoResult(begun)
        publisher.confirmation.callback(None)
        self.successResultOf(begun)

    def test_settings(self) -> None:
        """Small streams have small segments; a warm-up may be none, and is never cut short."""
        for settings, key, value in (
            (StreamSettings(stream_bytes=1 << 22), "x-stream-max-segment-size-bytes", 1 << 20),
            (StreamSettings(stream_bytes=1 << 28), "x-stream-max-segment-size-bytes", 1 << 24),
            (StreamSettings(stream_seconds=1.5), "x-max-age", "2s"),
        ):
            self.assertEqual(settings.queue_arguments()[key], value)
        for warm_up, offset in ((0, "next"), (0.5, "1s"), (60, "60s")):
            self.assertEqual(StreamSettings(warm_up=warm_up).warm_up_offset, offset)

    def test_other_arguments(self) -> None:
        """A stream that is there with other arguments is used as it is, until it is deleted."""
        begun = self.begin("queue_declare")
        self.client.lose(ChannelClosed(1, 406, "inequivalent arg"))
        self.failureResultOf(begun, ChannelClosed)
        self.feed.lost()
        begun = self.begin("queue_declare")
        self.assertEqual(self.asked("queue_declare"), {"queue": "events.stream", "passive": True})
        self.client.lose(ChannelClosed(1, 404, "no queue"))
        self.failureResultOf(begun, ChannelClosed)
        self.feed.lost()
        self.begin("queue_declare")
        self.assertEqual(self.asked("queue_declare")["arguments"], _ARGUMENTS)

    def test_loss_in_every_phase(self) -> None:
        """Whatever is waited for when the connection ends, the reason is what is raised."""
        for name in (
            "channel_open",
            "basic_qos",
            "exchange_declare",
            "queue_declare",
            "queue_bind",
            "basic_consume",
        ):
            begun = self.begin(name)
            self.lose()
            self.assertIs(self.failureResultOf(begun, AMQPError).value, LOST, name)
        begun = self.begin()
        self.publish_mark()
        self.lose()
        self.assertIs(self.failureResultOf(begun, AMQPError).value, LOST)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alarm(self) -> None:
        """While the broker takes no messages, the node does not come into service."""
        begun = self.begin()
        publisher = FakeClient(self.clock)
        publisher.confirmation = Deferred()
        self.connect.attempts[-1].outcome.callback(publisher)
        publisher.confirmation.errback(PublishBlocked("low on memory"))
        self.failureResultOf(begun, PublishBlocked)

    def test_cancelled(self) -> None:
        """A server that stops while it catches up leaves no timer."""
        begun = self.begin()
        self.publish_mark()
        begun.cancel()
        self.failureResultOf(begun, CancelledError)
        self.client.abort("the preparation of the connection failed")
        self.feed.lost()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class CatchUpTests(StreamCase):
    """Waiting for the mark is bounded."""

    def setUp(self) -> None:
        """Publish the mark."""
        super().setUp()
        self.begun = self.begin()
        self.mark = self.publish_mark()

    def test_silence(self) -> None:
        """A mark that does not come, though nothing is before it, ends the connection."""
        self.clock.advance(SILENCE)
        self.clock.advance(0)
        error = self.failureResultOf(self.begun, ConnectionAborted)
        self.assertIn("mark did not come", str(error.value))

    def test_backlog(self) -> None:
        """As long as something is read, the mark is waited for; but not for ever."""
        rounds = int(CATCH_UP_WITHIN / SILENCE)
        for number in range(rounds - 1):
            self.feed.delivered(messages(number))
            self.clock.advance(SILENCE)
        self.assertNoResult(self.begun)
        self.feed.delivered(messages(rounds))
        self.clock.pump([SILENCE, 0])
        self.failureResultOf(self.begun, ConnectionAborted)

    def test_made_anew(self) -> None:
        """A stream that ends before the last message: the next connection begins at its end."""
        self.feed.delivered([message(5, self.mark, ROUTING_KEY)])
        self.successResultOf(self.begun)
        self.subscribe("jobs-1")
        self.feed.serving()
        self.lose()
        begun = self.begin()
        self.assertEqual(self.begins_at(), 5)
        self.publish_mark()
        self.clock.pump([SILENCE, 0])
        self.failureResultOf(begun, ConnectionAborted)
        self.feed.lost()
        self.serve(0)
        self.assertEqual(self.begins_at(), "next")
        self.assertEqual(len(self.connection.gaps), 1)

    def test_nothing_read_yet(self) -> None:
        """A connection that brings nothing is no reason to begin elsewhere, if none did before."""
        self.clock.pump([SILENCE, 0])
        self.failureResultOf(self.begun, ConnectionAborted)
        self.feed.lost()
        self.serve()
        self.assertEqual(self.begins_at(), "60s")


class ServiceTests(StreamCase):
    """Events, and promises."""

    def test_promises(self) -> None:
        """Groups are in force when the node has caught up, and at once from then on."""
        early = self.subscribe("jobs-1", "jobs-2")
        begun = self.begin()
        self.feed.delivered([message(0, self.publish_mark(), ROUTING_KEY)])
        self.successResultOf(begun)
        self.assertEqual(early, [])
        self.feed.serving()
        self.assertEqual(len(early), 1)
        self.assertEqual(len(self.subscribe("jobs-1", "jobs-3")), 1)
        self.lose()
        later = self.subscribe("jobs-1", "jobs-3")
        self.assertEqual(later, [])
        self.serve_again()
        self.assertEqual(len(later), 1)

    def serve_again(self) -> None:
        """Bring another connection into service, in a stream with nothing but the first mark."""
        last = self.hub.history.read(-1, [ROUTING_KEY], 1000)[0]
        begun = self.begin()
        self.feed.delivered([message(0, last.payload, ROUTING_KEY)])
        self.feed.delivered([message(1, self.publish_mark(), ROUTING_KEY)])
        self.successResultOf(begun)
        self.feed.serving()

    def test_forget(self) -> None:
        """Who leaves before that is not told."""
        in_force = self.subscribe("jobs-1")
        self.hub.leave(self.connection)
        self.serve()
        self.assertEqual(in_force, [])

    def test_events(self) -> None:
        """They reach who listens, and are acknowledged together."""
        self.subscribe("jobs-1")
        self.serve()
        self.clock.advance(ACK_DELAY)
        self.feed.delivered(messages(1, 2))
        self.assertEqual(self.connection.messages, [b'{"n": 1}', b'{"n": 2}'])
        self.assertEqual(self.client.acks, [(1, 1, True), (1, 3, True)])

    def test_promised_behind_all_of_a_read(self) -> None:
        """What comes with the mark is delivered before anything is promised."""
        self.subscribe("jobs-1")
        begun = self.begin()
        delivered: list[int] = []
        begun.addCallback(lambda _: delivered.append(len(self.connection.messages)))
        mark = self.publish_mark()
        self.feed.delivered([message(0, mark, ROUTING_KEY), message(1)])
        self.assertEqual(delivered, [1])

    def test_interruption(self) -> None:
        """The next connection begins at the last message; nobody hears of it."""
        self.subscribe("jobs-1")
        self.serve()
        self.feed.delivered(messages(1, 2))
        self.lose()
        self.begin()
        self.assertEqual(self.begins_at(), 2)
        self.feed.delivered(messages(2, 3))
        self.assertEqual(len(self.connection.messages), 3)
        self.assertEqual(self.connection.gaps, [])


class DrainTests(StreamCase):
    """The end of a server."""

    def test_drain(self) -> None:
        """It consumes no more, and what has come is handed on and acknowledged."""
        self.serve()
        self.feed.delivered(messages(1))
        self.client.held = {"basic_cancel"}
        drained = Deferred.fromCoroutine(self.feed.drain())
        self.assertNoResult(drained)
        self.feed.delivered([message(2)])
        self.client.reply_to("basic_cancel")
        self.successResultOf(drained)
        self.assertEqual(self.client.acks[-1], (1, 3, True))

    def test_broker_does_not_answer(self) -> None:
        """It is bounded, and no error."""
        self.serve()
        self.client.held = {"basic_cancel"}
        drained = Deferred.fromCoroutine(self.feed.drain())
        self.clock.advance(CANCEL_WITHIN)
        self.successResultOf(drained)

    def test_without_connection(self) -> None:
        """There is nothing to do."""
        self.successResultOf(Deferred.fromCoroutine(self.feed.drain()))
