"""`towerws.core.deadlines`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClock
from towerws.core.deadlines import MAX_SLEEP, Deadlines


class DeadlinesTests(SynchronousTestCase):
    """Two times on one timer."""

    def setUp(self) -> None:
        """Watch nothing yet."""
        self.clock = FakeClock()
        self.told: list[str] = []
        self.deadlines = Deadlines(self.clock, self)

    def overdue(self) -> None:
        """Take note; see `towerws.core.deadlines.Watched`."""
        self.told.append("overdue")

    def recheck(self) -> None:
        """Take note; see `towerws.core.deadlines.Watched`."""
        self.told.append("recheck")

    def test_subscription(self) -> None:
        """One that does not come."""
        self.clock.advance(100)
        self.deadlines.expect_subscription(5)
        self.clock.advance(4.9)
        self.assertEqual(self.told, [])
        self.clock.advance(0.1)
        self.assertEqual((self.told, self.clock.timers), (["overdue"], []))

    def test_subscribed(self) -> None:
        """One that comes; once more changes nothing."""
        self.deadlines.expect_subscription(5)
        self.deadlines.look_again(10)
        self.deadlines.subscribed()
        self.deadlines.subscribed()
        self.assertEqual(self.clock.timers, [10])
        self.clock.advance(10)
        self.assertEqual(self.told, ["recheck"])

    def test_both(self) -> None:
        """Each at its time."""
        self.deadlines.expect_subscription(10)
        self.deadlines.look_again(5)
        self.assertEqual(self.clock.timers, [5])
        self.clock.advance(5)
        self.assertEqual((self.told, self.clock.timers), (["recheck"], [10]))
        self.clock.advance(5)
        self.assertEqual(self.told, ["recheck", "overdue"])

    def test_both_at_once(self) -> None:
        """Who is overdue is gone, if it says so, and not looked at."""
        self.deadlines.expect_subscription(5)
        self.deadlines.look_again(5)
        self.clock.advance(5)
        self.assertEqual(self.told, ["overdue", "recheck"])
        ending = Deadlines(self.clock, _Ending(self.told))
        ending.expect_subscription(5)
        ending.look_again(10)
        self.told.clear()
        _Ending.deadlines = ending
        self.clock.advance(5)
        self.assertEqual((self.told, self.clock.timers), (["overdue"], []))

    def test_past(self) -> None:
        """A time that is over is now."""
        self.clock.advance(10)
        self.deadlines.look_again(5)
        self.clock.advance(0)
        self.assertEqual(self.told, ["recheck"])

    def test_changed(self) -> None:
        """Another time takes the place of the one before; the same leaves the timer alone."""
        self.deadlines.look_again(5)
        timer = self.deadlines._timer
        self.deadlines.look_again(5)
        self.assertIs(self.deadlines._timer, timer)
        self.deadlines.look_again(7)
        self.assertEqual(self.clock.timers, [7])
        self.deadlines.look_again(None)
        self.assertEqual(self.clock.timers, [])

    def test_later(self) -> None:
        """A time behind the next one leaves its timer alone, and is waited for afterwards."""
        self.deadlines.expect_subscription(5)
        timer = self.deadlines._timer
        self.deadlines.look_again(7)
        self.deadlines.look_again(8)
        self.assertIs(self.deadlines._timer, timer)
        self.clock.advance(5)
        self.assertEqual((self.told, self.clock.timers), (["overdue"], [8]))

    def test_far_away(self) -> None:
        """No timer runs longer than a poller can count, and none calls before the time."""
        self.deadlines.look_again(2.5 * MAX_SLEEP)
        for _ in range(2):
            self.clock.advance(MAX_SLEEP)
        self.assertEqual((self.told, self.clock.timers), ([], [2.5 * MAX_SLEEP]))
        self.clock.advance(MAX_SLEEP)
        self.assertEqual(self.told, ["recheck"])

    def test_end(self) -> None:
        """Nobody is told any more, and nothing is held."""
        self.deadlines.expect_subscription(5)
        self.deadlines.look_again(5)
        self.deadlines.end()
        self.assertEqual(self.clock.timers, [])
        self.assertIsNone(self.deadlines._watched)
        self.deadlines.end()


class _Ending:
    """Ends its own deadlines when it is overdue."""

    deadlines: Deadlines

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def overdue(self) -> None:
        """Take note, and end."""
        self._told.append("overdue")
        self.deadlines.end()

    def recheck(self) -> None:
        """Take note."""
        self._told.append("recheck")
