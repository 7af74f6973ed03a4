"""`towerws.workers.keeper`: a worker again and again, and its end."""

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.fakes import FakeProcess, ProcessReactor
from towerws.amqp.consumer import CANCEL_WITHIN
from towerws.broker_emitter import CLOSE_WITHIN
from towerws.core.metrics import Counter
from towerws.server import FLUSH_WITHIN
from towerws.websocket.protocol import CLOSE_TIMEOUT
from towerws.workers.keeper import (
    CAUSES,
    DELAYS,
    DRAIN_MARGIN,
    STABLE_AFTER,
    STOP_WITHIN,
    TERM_GRACE,
    Keeper,
)
from towerws.workers.messages import Kind, Message
from towerws.workers.process import HEARTBEAT, Launch


class KeeperCase(SynchronousTestCase):
    """A test with a keeper."""

    def setUp(self) -> None:
        """Prepare one; nothing is started."""
        self.reactor = ProcessReactor()
        self.restarts = {cause: Counter() for cause in CAUSES}
        launch = Launch(["python"], {}, "/", [], Message(Kind.START))
        self.keeper = Keeper(2, launch, self.reactor, self.restarts)

    @property
    def worker(self) -> FakeProcess:
        """The worker that was started last."""
        return self.reactor.processes[-1]

    def counted(self) -> dict[str, int]:
        """Tell which restarts were counted."""
        return {cause: each.value for cause, each in self.restarts.items() if each.value}


class RestartTests(KeeperCase):
    """A worker ends, and there is another one."""

    def test_states(self) -> None:
        """What it says of itself through a life."""
        self.assertEqual(self.keeper.unready(), "it has not been started")
        self.keeper.start()
        self.assertEqual(self.keeper.unready(), "it starts")
        self.worker.boot()
        self.assertIsNone(self.keeper.unready())
        self.reactor.advance(HEARTBEAT)
        with capturedLogs() as logs:
            self.worker.end(0, 9)
        self.assertEqual(self.keeper.unready(), "it ended with signal 9")
        self.assertIsNone(self.keeper.process)
        self.assertEqual(
            [formatEvent(event) for event in logs],
            ["worker 2: it ended with signal 9; another one starts in 0 s"],
        )
        self.reactor.advance(0)
        self.assertEqual(self.keeper.unready(), "it starts")
        self.assertEqual(self.counted(), {"signal": 1})

    def test_delays(self) -> None:
        """One that ends soon is not started too often; one that lived for long begins anew."""
        self.keeper.start()
        for delay in (*DELAYS, DELAYS[-1]):
            count = len(self.reactor.processes)
            self.worker.end(1)
            if delay:
                self.reactor.advance(delay - 0.1)
                self.assertEqual(len(self.reactor.processes), count)
            self.reactor.advance(0.1)
            self.assertEqual(len(self.reactor.processes), count + 1)
        self.worker.boot()
        self.reactor.pump([HEARTBEAT])
        self.worker.reply(unready=None)
        self.reactor.pump([0.5])
        for _ in range(int(STABLE_AFTER)):
            self.reactor.advance(HEARTBEAT)
            self.worker.reply(unready=None)
        self.worker.end(1)
        self.reactor.advance(0)
        self.assertEqual(self.keeper.unready(), "it starts")

    def test_terminated(self) -> None:
        """One that SIGTERM has ended is replaced, when it was not for all of us."""
        for status, signal in ((0, None), (0, 15)):
            self.setUp()
            self.keeper.start()
            self.worker.boot()
            self.worker.end(status, signal)
            self.reactor.advance(TERM_GRACE - 0.01)
            self.assertEqual((len(self.reactor.processes), self.counted()), (1, {}))
            self.reactor.pump([0.01, 0])
            self.assertEqual(len(self.reactor.processes), 2)
            self.assertEqual(self.counted(), {"signal" if signal else "exit": 1})

    def test_cannot_be_started(self) -> None:
        """Where no process can be made, it is tried again, with the same delays."""
        self.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        self.keeper.start()
        self.assertEqual(
            self.keeper.unready(),
            "it cannot be started: [Errno 11] Resource temporarily unavailable",
        )
        self.reactor.advance(0)
        self.assertEqual(self.counted(), {"spawn": 2})
        self.reactor.refusal = None
        self.reactor.advance(DELAYS[1])
        self.worker.boot()
        self.assertIsNone(self.keeper.unready())

    def test_fault(self) -> None:
        """A fault of ours is logged, and seen by who asks for readiness."""
        self.patch(self.reactor, "spawnProcess", lambda *_, **__: 1 / 0)
        self.keeper.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.keeper.unready(), "a fault of the supervisor ended it")


class BoundsTests(SynchronousTestCase):
    """How long a worker may take, against what it is made of."""

    def test_stop(self) -> None:
        """Clients, with the grain of their timer, then the broker, and a second for the rest."""
        parts = CLOSE_TIMEOUT + 1, CANCEL_WITHIN, CLOSE_WITHIN
        self.assertGreaterEqual(STOP_WITHIN, sum(parts) + 1)

    def test_drain(self) -> None:
        """Slow readers get theirs, and a second remains."""
        self.assertGreaterEqual(DRAIN_MARGIN, FLUSH_WITHIN + 1)


class StopTests(KeeperCase):
    """The end, in order and bounded."""

    def test_never_started(self) -> None:
        """Nothing is to be done."""
        self.successResultOf(self.keeper.stop())

    def test_in_order(self) -> None:
        """The worker is told, and waited for; there is no other one."""
        self.keeper.start()
        self.worker.boot()
        stopped = self.keeper.stop()
        self.assertTrue(self.worker.finished)
        self.reactor.advance(STOP_WITHIN - 0.1)
        self.assertNoResult(stopped)
        self.worker.end()
        self.successResultOf(stopped)
        self._over({})

    def test_deaf(self) -> None:
        """A worker that does not end is killed, and then waited for."""
        self.keeper.start()
        self.worker.boot()
        stopped = self.keeper.stop()
        for _ in range(int(STOP_WITHIN)):
            self.reactor.advance(HEARTBEAT)
            if self.worker.sent:
                self.worker.take()
                self.worker.reply(unready=None)
        self.assertEqual(self.worker.signals, ["KILL"])
        self.assertNoResult(stopped)
        with capturedLogs() as logs:
            self.worker.end(0, 9)
        self.successResultOf(stopped)
        self.assertIn("did not end in time", "".join(map(str, map(formatEvent, logs))))
        self._over({})

    def test_drain(self) -> None:
        """The worker is told to drain, and has the time for that; there is no other one."""
        self.keeper.start()
        self.worker.boot()
        drained = self.keeper.drain(30)
        self.assertEqual(self.worker.take().kind, Kind.DRAIN)
        self.worker.reply()
        self.assertFalse(self.worker.finished)
        self._live(30 + DRAIN_MARGIN + STOP_WITHIN - 1)
        self.assertNoResult(drained)
        self.assertEqual(self.worker.signals, [])
        self.worker.end()
        self.successResultOf(drained)
        self._over({})

    def test_endless_drain(self) -> None:
        """A worker that does not end by then is killed."""
        self.keeper.start()
        self.worker.boot()
        drained = self.keeper.drain(30)
        self.worker.take()
        self.worker.reply()
        self._live(30 + DRAIN_MARGIN + STOP_WITHIN)
        self.assertEqual(self.worker.signals, ["KILL"])
        self.worker.end(0, 9)
        self.successResultOf(drained)
        self._over({})

    def test_drain_and_stop(self) -> None:
        """One that drains can still be told to end at once, and is not waited for so long."""
        self.keeper.start()
        self.worker.boot()
        drained, stopped = self.keeper.drain(30), self.keeper.stop()
        self.assertTrue(self.worker.finished)
        self.worker.take()
        self.worker.reply()
        self._live(STOP_WITHIN)
        self.assertEqual(self.worker.signals, ["KILL"])
        self.worker.end(0, 9)
        self.successResultOf(drained)
        self.successResultOf(stopped)
        self._over({})

    def test_drain_before_it_is_there(self) -> None:
        """One that starts just now has no clients, and is to end."""
        self.keeper.start()
        drained = self.keeper.drain(30)
        self.assertTrue(self.worker.finished)
        self.worker.end()
        self.successResultOf(drained)
        self._over({})

    def test_dies_while_it_drains(self) -> None:
        """One that is lost meanwhile is not replaced."""
        self.keeper.start()
        self.worker.boot()
        drained = self.keeper.drain(30)
        self.worker.end(0, 9)
        self.successResultOf(drained)
        self._over({})

    def _live(self, seconds: float) -> None:
        """Let time pass for a worker that answers."""
        for _ in range(round(seconds / HEARTBEAT)):
            self.reactor.advance(HEARTBEAT)
            for _ in tuple(self.worker.sent):
                self.worker.take()
                self.worker.reply(unready=None)

    def test_between_two(self) -> None:
        """While none runs, none is started any more."""
        self.keeper.start()
        self.worker.end(1)
        stopped: Deferred[None] = self.keeper.stop()
        self.successResultOf(stopped)
        self._over({"exit": 1})

    def test_all_terminated(self) -> None:
        """A worker that gets SIGTERM with us, and is faster, is no worker that was lost."""
        self.keeper.start()
        self.worker.boot()
        with capturedLogs() as logs:
            self.worker.end()
            self.reactor.advance(TERM_GRACE / 2)
            self.successResultOf(self.keeper.stop())
        self.assertEqual(list(logs), [])
        self._over({})

    def _over(self, counted: dict[str, int]) -> None:
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.reactor.processes), 1)
        self.assertEqual(self.counted(), counted)
