"""`towerws.workers.supervisor`: what is published reaches the clients of all workers, or not."""

import inspect

from twisted.internet.defer import Deferred

from tests.workers.supervisor_case import FakeBroker, SupervisorCase
from towerws.core.hub import SourceUnavailable
from towerws.core.revocation import Revocation
from towerws.notify import Publisher
from towerws.workers import supervisor
from towerws.workers.messages import Kind, Message
from towerws.workers.supervisor import REPLY_WITHIN


class EmitTests(SupervisorCase):
    """Events for the clients of all workers."""

    def emit(self, payload: bytes = b"{}") -> Deferred[dict[str, object]]:
        """Publish something."""
        return self.supervisor.emit("jobs-1", payload)

    def test_all(self) -> None:
        """Every worker gets it; the answer waits for all and is the sum."""
        self.boot()
        emitted = self.emit(b'{"a": 1}')
        for worker in self.workers:
            event = Message(Kind.EVENT, {"group": "jobs-1"}, b'{"a": 1}')
            self.assertEqual(worker.sent, [event])
        self.workers[1].reply(connections=3)
        self.assertNoResult(emitted)
        self.workers[0].reply(connections=4)
        self.assertEqual(self.successResultOf(emitted), {"connections": 7})

    def test_one_that_starts(self) -> None:
        """A worker without clients is not waited for."""
        self.workers[0].boot()
        emitted = self.emit()
        self.workers[0].reply(connections=4)
        self.assertEqual(self.successResultOf(emitted), {"connections": 4})
        self.assertEqual(self.workers[1].sent, [])

    def test_one_that_ends(self) -> None:
        """A worker that ends has no clients any more."""
        self.boot()
        emitted = self.emit()
        self.workers[0].end(0, 9)
        self.workers[1].reply(connections=3)
        self.assertEqual(self.successResultOf(emitted), {"connections": 3})

    def test_all_end(self) -> None:
        """Where nobody is left who has the event, it is not accepted."""
        self.boot()
        emitted = self.emit()
        for worker in self.workers[:2]:
            worker.end(0, 9)
        failure = self.failureResultOf(emitted, SourceUnavailable)
        self.assertEqual(
            str(failure.value),
            "All workers ended before they answered; it may have reached some clients.",
        )

    def test_late(self) -> None:
        """A worker that hangs keeps nobody waiting for long; it has the event all the same."""
        patience = inspect.signature(Publisher).parameters["timeout"].default
        self.assertLessEqual(REPLY_WITHIN, patience / 2)
        self.boot()
        emitted = self.emit()
        self.workers[1].reply(connections=3)
        self.reactor.advance(REPLY_WITHIN - 0.1)
        self.assertNoResult(emitted)
        # Together with a heartbeat.
        self.reactor.advance(0.1)
        self.assertEqual(self.successResultOf(emitted), {"connections": 3})
        self.workers[1].reply(unready=None)
        # It has used up its time. The other one has not.
        emitted = self.emit()
        self.reactor.advance(0)
        self.assertNoResult(emitted)
        self.workers[1].reply(connections=3)
        self.assertEqual(self.successResultOf(emitted), {"connections": 3})
        self.assertEqual(self.workers[0].kinds(), [Kind.EVENT, Kind.STATUS, Kind.EVENT])
        self.assertIn("towerws_worker_replies_late_total 2\n", self.metrics.render())
        # Its answers come all the same, and belong to nothing else.
        for answer in ({"connections": 4}, {"unready": None}, {"connections": 4}):
            self.workers[0].reply(**answer)
        emitted = self.emit()
        self.workers[0].reply(connections=5)
        self.workers[1].reply(connections=3)
        self.assertEqual(self.successResultOf(emitted), {"connections": 8})

    def test_late_and_gone(self) -> None:
        """A late worker has the event, so that it is accepted though the other one has ended."""
        self.boot()
        emitted = self.emit()
        self.workers[0].end(0, 9)
        self.reactor.advance(REPLY_WITHIN)
        self.assertEqual(self.successResultOf(emitted), {"connections": 0})

    def test_none(self) -> None:
        """Where nobody is, it is refused with the reason."""
        failure = self.failureResultOf(self.emit(), SourceUnavailable)
        self.assertEqual(str(failure.value), "No worker runs: worker 1: it starts.")

    def test_backlog(self) -> None:
        """A worker that does not keep up is not buried; nobody gets what not all can get."""
        self.patch(supervisor, "MAX_BACKLOG", 1000)
        self.boot()
        half = b"x" * 400
        emitted = [self.emit(half), self.emit(half)]
        self.workers[0].reply(connections=0)
        self.workers[0].reply(connections=0)
        failure = self.failureResultOf(self.emit(half), SourceUnavailable)
        self.assertEqual(str(failure.value), "Worker 2 does not keep up.")
        self.assertEqual([len(worker.sent) for worker in self.workers], [2, 2])
        self.workers[1].reply(connections=0)
        emitted.append(self.emit(half))
        self.assertEqual([len(worker.sent) for worker in self.workers], [3, 3])

    def test_large(self) -> None:
        """One event of any size goes to workers that wait for it."""
        self.patch(supervisor, "MAX_BACKLOG", 1000)
        self.boot()
        self.emit(b"x" * 1001)
        self.assertEqual([len(worker.sent) for worker in self.workers], [1, 1])


class RevokeTests(SupervisorCase):
    """Revocations for the clients of all workers."""

    def test_all(self) -> None:
        """Every worker gets it; the answer waits for all and is the sum."""
        self.boot()
        revocation = Revocation("7", "jobs-*")
        revoked = self.supervisor.revoke(revocation)
        for worker in self.workers:
            self.assertEqual(worker.sent, [Message(Kind.REVOKE, {}, revocation.encode())])
        self.workers[1].reply(connections=1)
        self.assertNoResult(revoked)
        self.workers[0].reply(connections=2)
        self.assertEqual(self.successResultOf(revoked), {"connections": 3})

    def test_none(self) -> None:
        """Where nobody is, nothing is said to be revoked."""
        self.failureResultOf(self.supervisor.revoke(Revocation("7")), SourceUnavailable)


class BrokerTests(SupervisorCase):
    """Revocations with a broker, which brings them to the workers, here and elsewhere."""

    broker = FakeBroker()

    def test_broker(self) -> None:
        """The broker has it; the workers get it from there."""
        self.boot()
        revoked = self.supervisor.revoke(Revocation("7"))
        self.assertEqual(self.successResultOf(revoked), {"confirmed": True})
        self.assertEqual(self.broker.revoked, [Revocation("7")])
        self.assertEqual([worker.sent for worker in self.workers], [[], []])
