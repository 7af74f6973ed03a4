"""`towerws.amqp.consumer`: a channel put to use, over a client of our own making."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, delivery
from towerws.amqp.consumer import ACK_DELAY, Consumer
from towerws.amqp.errors import AMQPError, ConnectionLost, ReplyTimeout
from towerws.amqp.pause import MIN_PREFETCH, SEVERAL

_LOST = ConnectionLost("the connection to the broker failed: it burns")


class ConsumerCase(SynchronousTestCase):
    """A test with a consumer."""

    def setUp(self) -> None:
        """Connect to a broker that answers everything."""
        self.clock = Clock()
        self.connect()

    def connect(self, *held: str, prefetch: int = 8) -> None:
        """Make a consumer on a connection whose broker does not answer some requests."""
        self.client = FakeClient(self.clock, held)
        client: Any = self.client
        self.consumer = Consumer(client, 1, prefetch, self.clock)

    def start(self) -> Deferred[None]:
        """Open and consume."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self.consumer.open()
        await self.consumer.consume("events", arguments={"x-stream-offset": "next"})

    def deliver(self, *tags: int) -> None:
        """Let deliveries come in one read, and be handled."""
        self.consumer.acknowledge([delivery(tag) for tag in tags])


class StartTests(ConsumerCase):
    """What is asked of the broker, in which order."""

    def test_order(self) -> None:
        """The limit is set before anything can come."""
        self.successResultOf(self.start())
        self.assertEqual(
            [(call.channel, call.name, call.arguments) for call in self.client.calls],
            [
                (1, "channel_open", {}),
                (1, "basic_qos", {"prefetch_count": 8}),
                (
                    1,
                    "basic_consume",
                    {"queue": "events", "arguments": {"x-stream-offset": "next"}},
                ),
            ],
        )

    def test_pauses_need_a_large_prefetch(self) -> None:
        """With a small one the broker would wait for the end of each pause."""
        for prefetch, state in ((MIN_PREFETCH, "paused"), (MIN_PREFETCH - 1, "producing")):
            self.connect(prefetch=prefetch)
            self.successResultOf(self.start())
            transport = StringTransport()
            self.client.pause.consider(transport, SEVERAL)
            self.assertEqual(transport.producerState, state)

    def test_loss_in_every_phase(self) -> None:
        """Whatever the broker is asked when the connection ends, the reason is what is raised."""
        for name in ("channel_open", "basic_qos", "basic_consume"):
            self.connect(name)
            started = self.start()
            self.assertNoResult(started)
            self.client.lose(_LOST)
            self.assertIs(self.failureResultOf(started, AMQPError).value, _LOST, name)

    def test_cancelled_in_every_phase(self) -> None:
        """A start that is cancelled is that, and the connection ends."""
        for name in ("channel_open", "basic_qos", "basic_consume"):
            self.connect(name)
            started = self.start()
            started.cancel()
            self.failureResultOf(started, CancelledError)
            self.assertTrue(self.client.aborted, name)


class AcknowledgementTests(ConsumerCase):
    """Acknowledgements are collected, by number and by time."""

    def test_by_number(self) -> None:
        """A quarter of what may be under way is acknowledged at once, with one frame."""
        self.deliver(1)
        self.assertEqual(self.client.acks, [])
        self.deliver(2)
        self.assertEqual(self.client.acks, [(1, 2, True)])
        self.deliver(3, 4, 5, 6, 7)
        self.assertEqual(self.client.acks[1:], [(1, 7, True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_by_time(self) -> None:
        """Fewer wait for a moment, counted from the first of them."""
        self.connect(prefetch=100)
        self.deliver(1)
        self.clock.advance(ACK_DELAY - 0.01)
        self.deliver(2, 3)
        self.assertEqual(self.client.acks, [])
        self.clock.advance(0.01)
        self.assertEqual(self.client.acks, [(1, 3, True)])
        self.clock.advance(1)
        self.deliver(4)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.client.acks, [(1, 3, True), (1, 4, True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_smallest_prefetch(self) -> None:
        """Where only one may be under way, each is acknowledged at once."""
        self.connect(prefetch=1)
        self.deliver(1)
        self.assertEqual(self.client.acks, [(1, 1, True)])

    def test_stop(self) -> None:
        """After the end nothing is acknowledged any more, and no timer is left."""
        self.deliver(1)
        self.consumer.stop()
        self.consumer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.client.acks, [])


class CancelTests(ConsumerCase):
    """A consumer that takes no more, in order."""

    def _cancel(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.consumer.cancel(2.0))

    def test_acknowledged(self) -> None:
        """What came until the broker's answer is acknowledged then, without a delay."""
        self.connect("basic_cancel", prefetch=100)
        self.successResultOf(self.start())
        self.deliver(1)
        cancelled = self._cancel()
        self.assertEqual(self.client.calls[-1].arguments, {"consumer_tag": "ctag-1"})
        self.deliver(2, 3)
        self.assertNoResult(cancelled)
        self.assertEqual(self.client.acks, [])
        self.client.reply_to("basic_cancel")
        self.successResultOf(cancelled)
        self.assertEqual(self.client.acks, [(1, 3, True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_to_acknowledge(self) -> None:
        """What is acknowledged already is not once more: the broker would close the channel."""
        self.successResultOf(self.start())
        self.deliver(1, 2)
        self.successResultOf(self._cancel())
        self.assertEqual(self.client.acks, [(1, 2, True)])

    def test_nothing_consumed(self) -> None:
        """Before there is a consumer, a second time, and after the end there is nothing to do."""
        self.successResultOf(self._cancel())
        self.successResultOf(self.start())
        self.successResultOf(self._cancel())
        self.successResultOf(self._cancel())
        self.assertEqual([call.name for call in self.client.calls].count("basic_cancel"), 1)
        self.connect()
        self.successResultOf(self.start())
        self.consumer.stop()
        self.successResultOf(self._cancel())
        self.assertNotIn("basic_cancel", [call.name for call in self.client.calls])

    def test_silence(self) -> None:
        """A broker that does not answer in time loses the connection."""
        self.connect("basic_cancel")
        self.successResultOf(self.start())
        cancelled = self._cancel()
        self.clock.advance(1.9)
        self.assertNoResult(cancelled)
        self.clock.advance(0.2)
        self.failureResultOf(cancelled, ReplyTimeout)
        self.assertTrue(self.client.aborted)

    def test_loss(self) -> None:
        """A connection that is lost meanwhile is the reason that is given."""
        self.connect("basic_cancel")
        self.successResultOf(self.start())
        cancelled = self._cancel()
        self.client.lose(_LOST)
        self.assertIs(self.failureResultOf(cancelled, AMQPError).value, _LOST)
        self.assertEqual(self.clock.getDelayedCalls(), [])
