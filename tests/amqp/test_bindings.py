"""`towerws.amqp.bindings`: routing keys that come and go, over a client of our own making."""

import gc

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient
from towerws.amqp.bindings import Bindings
from towerws.amqp.errors import AMQPError, ConnectionLost

_LOST = ConnectionLost("the connection to the broker failed: it burns")


class BindingsCase(SynchronousTestCase):
    """A test with the bindings of a queue, to whose requests the broker does not answer."""

    def setUp(self) -> None:
        """Open a channel."""
        self.client = FakeClient(Clock(), ("queue_bind", "queue_unbind"))
        channel = self.successResultOf(self.client.open_channel(1))
        self.told: list[str] = []
        self.bindings = Bindings(channel, "events", "amq.gen-1", self.told.append)


class BeginTests(BindingsCase):
    """The first bindings of a queue."""

    def _begin(self, *keys: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bindings.begin(keys))

    def test_all_together(self) -> None:
        """No binding waits for the one before; the end waits for all."""
        begun = self._begin(*(f"jobs-{number}" for number in range(1000)))
        self.assertEqual(len(self.client.named("queue_bind")), 1000)
        for _ in range(1000):
            self.assertNoResult(begun)
            self.client.reply_to("queue_bind")
        self.successResultOf(begun)
        self.assertEqual(len(self.told), 1000)

    def test_loss(self) -> None:
        """The reason is what is raised, once for all."""
        begun = self._begin("jobs-1", "jobs-2")
        self.client.lose(_LOST)
        self.assertIs(self.failureResultOf(begun, AMQPError).value, _LOST)

    def test_cancelled(self) -> None:
        """To cancel it is that, and the connection ends."""
        begun = self._begin("jobs-1", "jobs-2")
        begun.cancel()
        self.failureResultOf(begun, CancelledError)
        self.assertTrue(self.client.aborted)


class BindingTests(BindingsCase):
    """Bindings that come and go."""

    def test_bind(self) -> None:
        """A key is bound when the broker says so."""
        self.bindings.bind(["jobs-1"])
        self.assertEqual((self.told, self.bindings.bound), ([], set()))
        self.client.reply_to("queue_bind")
        self.assertEqual((self.told, self.bindings.bound), (["jobs-1"], {"jobs-1"}))

    def test_unbind(self) -> None:
        """An unbinding tells nobody."""
        self.bindings.unbind(["jobs-1"])
        self.client.reply_to("queue_unbind")
        (call,) = self.client.calls[-1:]
        self.assertEqual(
            call.arguments,
            {"queue": "amq.gen-1", "exchange": "events", "routing_key": "jobs-1"},
        )
        self.assertEqual(self.told, [])

    def test_bound_again(self) -> None:
        """Of several bindings of a key only the last one counts: between were unbindings."""
        for _ in range(3):
            self.bindings.bind(["jobs-1"])
            self.bindings.unbind(["jobs-1"])
        self.bindings.bind(["jobs-1"])
        for _ in range(3):
            self.client.reply_to("queue_bind")
            self.client.reply_to("queue_unbind")
            self.assertEqual(self.told, [])
        self.client.reply_to("queue_bind")
        self.assertEqual(self.told, ["jobs-1"])

    def test_many_keys_in_the_long_run(self) -> None:
        """Keys that came and went, as those of jobs do, are not kept in mind."""
        self.client.held.clear()
        for number in range(100):
            self.bindings.bind([f"job_events-{number}"])
            self.bindings.unbind([f"job_events-{number}"])
        self._assert_forgotten()

    def test_unbound_before_it_was_bound(self) -> None:
        """Nor are those that are gone before the broker has bound them; nobody is told of them."""
        for number in range(100):
            self.bindings.bind([f"job_events-{number}"])
            self.bindings.unbind([f"job_events-{number}"])
        for _ in range(100):
            self.client.reply_to("queue_bind")
            self.client.reply_to("queue_unbind")
        self.assertEqual(self.told, [])
        self._assert_forgotten()

    def _assert_forgotten(self) -> None:
        self.assertEqual(self.bindings.bound, set())
        self.assertEqual(self.bindings._binding, {})

    def test_loss(self) -> None:
        """That the connection is lost is told elsewhere; here it is no error."""
        self.bindings.bind(["jobs-1"])
        self.bindings.unbind(["jobs-2"])
        self.client.lose(_LOST)
        self.bindings.bind(["jobs-3"])
        self.assertEqual(self.told, [])

    def test_fault(self) -> None:
        """An error of another kind is not swallowed."""
        self.bindings.bind(["jobs-1"])
        self.client.calls.pop().answer.errback(ZeroDivisionError())
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
