"""`towerws.feeds.overflow`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.feeds.overflow import LONGEST, QUIET, Overflow


class OverflowTests(SynchronousTestCase):
    """Few gaps of many dead letters, and one behind the last."""

    def setUp(self) -> None:
        """Drop nothing."""
        self.clock = Clock()
        self.gaps: list[float] = []
        self.overflow = Overflow(self.clock, lambda: self.gaps.append(self.clock.seconds()))

    def test_one(self) -> None:
        """A single dead letter is a single gap, at once."""
        self.overflow.noticed()
        self.assertEqual(self.gaps, [0])
        self.clock.advance(QUIET)
        self.assertEqual((self.gaps, self.clock.getDelayedCalls()), ([0], []))

    def test_several(self) -> None:
        """One gap at once, and one when it is quiet."""
        for _ in range(3):
            self.overflow.noticed()
            self.clock.advance(QUIET / 2)
        self.assertEqual(self.gaps, [0])
        self.clock.advance(QUIET)
        self.assertEqual(len(self.gaps), 2)
        self.clock.advance(1)
        self.overflow.noticed()
        self.assertEqual(len(self.gaps), 3)

    def test_no_end(self) -> None:
        """A server that stays too slow tells a gap or two each second, not each time."""
        for _ in range(round(3 * LONGEST / (QUIET / 2))):
            self.overflow.noticed()
            self.clock.advance(QUIET / 2)
        self.assertIn(len(self.gaps), (5, 6))

    def test_end(self) -> None:
        """What is still to be told is told at the end, once; no timer is left."""
        self.overflow.end()
        self.overflow.noticed()
        self.overflow.end()
        self.assertEqual(len(self.gaps), 1)
        self.overflow.noticed()
        self.overflow.noticed()
        self.overflow.end()
        self.overflow.end()
        self.assertEqual((len(self.gaps), self.clock.getDelayedCalls()), (3, []))
