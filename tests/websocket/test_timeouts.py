"""`towerws.websocket.timeouts`: many timeouts on few timers."""

from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.websocket.timeouts import GRAIN, Timeout, Timeouts
from towerws.websocket.turns import SLICE, Slices


class _BusyClock(Clock):
    """A clock that goes on when a test says so, and counts what is to be done in the next turn."""

    turns = 0

    def spend(self, seconds: float) -> None:
        self.rightNow += seconds

    def callLater(  # noqa: N802  # Twisted's name
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002
        *args: object,
        **kw: object,
    ) -> IDelayedCall:
        self.turns += delay == 0
        return super().callLater(delay, callable, *args, **kw)


class TimeoutsTests(SynchronousTestCase):
    """Timeouts that run out, and that do not."""

    def setUp(self) -> None:
        """Begin at an odd time."""
        self.clock = _BusyClock()
        self.clock.advance(1234.567)
        self.timeouts = Timeouts(self.clock, Slices(self.clock))
        self.calls: list[str] = []

    def test_time(self) -> None:
        """A call is made once, not before its time, and hardly later."""
        for delay in (0.01, 0.1, 2, 20, 30):
            self.timeouts.call_later(delay, partial(self.calls.append, "made"))
            self.clock.advance(delay - 0.001)
            self.assertEqual(self.calls, [])
            self.clock.advance(GRAIN + 0.002)
            self.assertEqual(self.calls, ["made"])
            self.calls.clear()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_once(self) -> None:
        """No delay is a short one."""
        self.timeouts.call_later(0, partial(self.calls.append, "made"))
        self.clock.advance(GRAIN)
        self.assertEqual(self.calls, ["made"])

    def test_sharing(self) -> None:
        """Those of about the same time share a timer, and keep their order."""
        for number in range(100):
            self.timeouts.call_later(20, partial(self.calls.append, str(number)))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(20 + GRAIN)
        self.assertEqual(self.calls, [str(number) for number in range(100)])

    def test_cancel(self) -> None:
        """A cancelled one is not made, the others are; cancelling again changes nothing."""
        first, second = (
            self.timeouts.call_later(20, partial(self.calls.append, name)) for name in "ab"
        )
        first.cancel()
        first.cancel()
        self.clock.advance(20 + GRAIN)
        self.assertEqual(self.calls, ["b"])
        second.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel_all(self) -> None:
        """No timer stays behind, and the same time can be used again."""
        for _ in range(2):
            waiting = [self.timeouts.call_later(20, self.fail) for _ in range(10)]
            for timeout in waiting:
                timeout.cancel()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.timeouts.call_later(20, partial(self.calls.append, "made"))
        self.clock.advance(20 + GRAIN)
        self.assertEqual(self.calls, ["made"])

    def test_many_run_out(self) -> None:
        """They do so in slices, and can be cancelled until their turn has come."""
        waiting: list[Timeout] = []

        def slow(name: str) -> None:
            self.calls.append(name)
            self.clock.spend(SLICE)
            waiting[-1].cancel()

        waiting += [self.timeouts.call_later(20, partial(slow, name)) for name in "abc"]
        before = self.clock.turns
        self.clock.advance(20 + GRAIN)
        self.assertEqual(self.calls, ["a", "b"])
        self.assertEqual(self.clock.turns - before, 2)

    def test_fault(self) -> None:
        """One that fails is logged, and the others are made."""
        self.timeouts.call_later(20, lambda: 1 // 0)
        self.timeouts.call_later(20, partial(self.calls.append, "made"))
        self.clock.advance(20 + GRAIN)
        self.assertEqual(self.calls, ["made"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
