"""`towerws.amqp.consumer`: a connection put to use, over a client of our own making."""

import gc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, delivery
from towerws.amqp.consumer import ACK_DELAY, Consumer
from towerws.amqp.errors import AMQPError, ConnectionLost
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
        self.bound: list[str] = []
        client: Any = self.client
        self.consumer = Consumer(client, "events", prefetch, self.clock, self.bound.append)

    def start(self, *routing_keys: str) -> Deferred[None]:
        """Start with some bindings."""
        return Deferred.fromCoroutine(self.consumer.start(lambda: routing_keys))


class StartTests(ConsumerCase):
    """What is asked of the broker, in which order."""

    def test_order(self) -> None:
        """Exchange, queue, limit, bindings, and only then deliveries."""
        self.successResultOf(self.start("jobs-1", "jobs-2"))
        queue = {"queue": "amq.gen-1"}
        self.assertEqual(
            [(call.channel, call.name, call.arguments) for call in self.client.calls],
            [
                (1, "channel_open", {}),
                (
                    1,
                    "exchange_declare",
                    {"exchange": "events", "type": "topic", "durable": True},
                ),
                (1, "queue_declare", {"queue": "", "exclusive": True, "auto_delete": True}),
                (1, "basic_qos", {"prefetch_count": 8}),
                (1, "queue_bind", queue | {"exchange": "events", "routing_key": "jobs-1"}),
                (1, "queue_bind", queue | {"exchange": "events", "routing_key": "jobs-2"}),
                (1, "basic_consume", queue),
            ],
        )
        self.assertEqual(self.bound, ["jobs-1", "jobs-2"])

    def test_pauses_need_a_large_prefetch(self) -> None:
        """With a small one the broker would wait for the end of each pause."""
        for prefetch, state in ((MIN_PREFETCH, "paused"), (MIN_PREFETCH - 1, "producing")):
            self.connect(prefetch=prefetch)
            self.successResultOf(self.start("jobs-1"))
            transport = StringTransport()
            self.client.pause.consider(transport, SEVERAL)
            self.assertEqual(transport.producerState, state)

    def test_bindings_go_out_together(self) -> None:
        """No binding waits for the one before; consuming waits for all."""
        self.connect("queue_bind")
        started = self.start(*(f"jobs-{number}" for number in range(1000)))
        self.assertEqual(len(self.client.named("queue_bind")), 1000)
        self.assertNotIn("basic_consume", [call.name for call in self.client.calls])
        for _ in range(1000):
            self.client.reply_to("queue_bind")
        self.successResultOf(started)
        self.assertEqual(len(self.bound), 1000)

    def test_keys_are_read_late(self) -> None:
        """Keys count as they are when there is a queue; before, `bind` has nothing to do."""
        self.connect("queue_declare")
        keys = ["jobs-1"]
        started = Deferred.fromCoroutine(self.consumer.start(lambda: keys))
        self.consumer.bind(["jobs-2"])
        self.consumer.unbind(["jobs-1"])
        keys[:] = ["jobs-2"]
        self.client.reply_to("queue_declare")
        self.successResultOf(started)
        self.assertEqual(
            self.client.named("queue_bind", "queue_unbind"), [("queue_bind", "jobs-2")]
        )

    def test_loss_in_every_phase(self) -> None:
        """Whatever the broker is asked when the connection ends, the reason is what is raised."""
        for name in (
            "channel_open",
            "exchange_declare",
            "queue_declare",
            "basic_qos",
            "queue_bind",
            "basic_consume",
        ):
            self.connect(name)
            started = self.start("jobs-1", "jobs-2")
            self.assertNoResult(started)
            self.client.lose(_LOST)
            self.assertIs(self.failureResultOf(started, AMQPError).value, _LOST, name)

    def test_cancelled_in_every_phase(self) -> None:
        """A start that is cancelled is that, and the connection ends."""
        for name in ("channel_open", "queue_declare", "queue_bind", "basic_consume"):
            self.connect(name)
            started = self.start("jobs-1", "jobs-2")
            started.cancel()
            self.failureResultOf(started, CancelledError)
            self.assertTrue(self.client.aborted, name)


class BindingTests(ConsumerCase):
    """Bindings that come and go."""

    def setUp(self) -> None:
        """Start, and hold back the answers to bindings from then on."""
        super().setUp()
        self.successResultOf(self.start())
        self.client.held = {"queue_bind", "queue_unbind"}

    def test_bind(self) -> None:
        """A key is bound when the broker says so."""
        self.consumer.bind(["jobs-1"])
        self.assertEqual(self.bound, [])
        self.client.reply_to("queue_bind")
        self.assertEqual(self.bound, ["jobs-1"])

    def test_unbind(self) -> None:
        """An unbinding tells nobody."""
        self.consumer.unbind(["jobs-1"])
        self.client.reply_to("queue_unbind")
        (call,) = self.client.calls[-1:]
        self.assertEqual(
            call.arguments,
            {"queue": "amq.gen-1", "exchange": "events", "routing_key": "jobs-1"},
        )
        self.assertEqual(self.bound, [])

    def test_bound_again(self) -> None:
        """Of several bindings of a key only the last one counts: between were unbindings."""
        for _ in range(3):
            self.consumer.bind(["jobs-1"])
            self.consumer.unbind(["jobs-1"])
        self.consumer.bind(["jobs-1"])
        for _ in range(3):
            self.client.reply_to("queue_bind")
            self.client.reply_to("queue_unbind")
            self.assertEqual(self.bound, [])
        self.client.reply_to("queue_bind")
        self.assertEqual(self.bound, ["jobs-1"])

    def test_many_keys_in_the_long_run(self) -> None:
        """Keys that came and went, as those of jobs do, are not kept in mind."""
        self.client.held.clear()
        for number in range(100):
            self.consumer.bind([f"job_events-{number}"])
            self.consumer.unbind([f"job_events-{number}"])
        self._assert_forgotten()

    def test_unbound_before_it_was_bound(self) -> None:
        """Nor are those that are gone before the broker has bound them; nobody is told of them."""
        for number in range(100):
            self.consumer.bind([f"job_events-{number}"])
            self.consumer.unbind([f"job_events-{number}"])
        for _ in range(100):
            self.client.reply_to("queue_bind")
            self.client.reply_to("queue_unbind")
        self.assertEqual(self.bound, [])
        self._assert_forgotten()

    def _assert_forgotten(self) -> None:
        self.assertEqual(self.consumer.bound, set())
        self.assertEqual(self.consumer._binding, {})

    def test_loss(self) -> None:
        """That the connection is lost is told elsewhere; here it is no error."""
        self.consumer.bind(["jobs-1"])
        self.consumer.unbind(["jobs-2"])
        self.client.lose(_LOST)
        self.consumer.bind(["jobs-3"])
        self.assertEqual(self.bound, [])

    def test_fault(self) -> None:
        """An error of another kind is not swallowed."""
        self.consumer.bind(["jobs-1"])
        self.client.calls.pop().answer.errback(ZeroDivisionError())
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class AcknowledgementTests(ConsumerCase):
    """Acknowledgements are collected, by number and by time."""

    def _deliver(self, *tags: int) -> None:
        self.consumer.acknowledge([delivery(tag) for tag in tags])

    def test_by_number(self) -> None:
        """A quarter of what may be under way is acknowledged at once, with one frame."""
        self._deliver(1)
        self.assertEqual(self.client.acks, [])
        self._deliver(2)
        self.assertEqual(self.client.acks, [(1, 2, True)])
        self._deliver(3, 4, 5, 6, 7)
        self.assertEqual(self.client.acks[1:], [(1, 7, True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_by_time(self) -> None:
        """Fewer wait for a moment, counted from the first of them."""
        self.connect(prefetch=100)
        self._deliver(1)
        self.clock.advance(ACK_DELAY - 0.01)
        self._deliver(2, 3)
        self.assertEqual(self.client.acks, [])
        self.clock.advance(0.01)
        self.assertEqual(self.client.acks, [(1, 3, True)])
        self.clock.advance(1)
        self._deliver(4)
        self.clock.advance(ACK_DELAY)
        self.assertEqual(self.client.acks, [(1, 3, True), (1, 4, True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_smallest_prefetch(self) -> None:
        """Where only one may be under way, each is acknowledged at once."""
        self.connect(prefetch=1)
        self._deliver(1)
        self.assertEqual(self.client.acks, [(1, 1, True)])

    def test_stop(self) -> None:
        """After the end nothing is acknowledged any more, and no timer is left."""
        self._deliver(1)
        self.consumer.stop()
        self.consumer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.client.acks, [])
