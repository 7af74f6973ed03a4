"""Noticing silence."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.client.watch import GRACE, Watch


class WatchTests(SynchronousTestCase):
    """`Watch` calls when nothing was heard for too long, and only then."""

    def setUp(self) -> None:
        """Expect nothing yet."""
        self.clock = Clock()
        self.silences: list[float] = []
        self.watch = Watch(self.clock, self.silences.append)

    def test_silence(self) -> None:
        """It is called once, a little after the longest silence."""
        self.watch.expect(30)
        self.clock.advance(30)
        self.assertEqual(self.silences, [])
        self.clock.advance(GRACE)
        self.assertEqual(self.silences, [30])
        self.clock.advance(1000)
        self.assertEqual(self.silences, [30])

    def test_signs_of_life(self) -> None:
        """Each one begins a silence anew, without a timer of its own."""
        self.watch.expect(30)
        for _ in range(10):
            self.clock.advance(29)
            self.watch.heard()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(29)
        self.assertEqual(self.silences, [])
        self.clock.pump([1, GRACE])
        self.assertEqual(self.silences, [30])

    def test_busy(self) -> None:
        """What waited to be read while the process was busy or asleep counts."""
        self.watch.expect(30)
        self.clock.advance(3600)
        self.watch.heard()
        self.clock.pump([GRACE, 28])
        self.assertEqual(self.silences, [])
        self.clock.pump([1, GRACE])
        self.assertEqual(self.silences, [30])

    def test_expect_anew(self) -> None:
        """Another expectation replaces the one before; none ends it."""
        self.watch.expect(10)
        self.clock.advance(9)
        self.watch.expect(30)
        self.clock.pump([29, GRACE])
        self.assertEqual(self.silences, [])
        self.watch.expect(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """Stopping leaves no timer, in the grace time neither; it may be done again."""
        self.watch.expect(30)
        self.clock.advance(30)
        self.watch.stop()
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
