"""`towerws.core.ages`."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.ages import GRAINS, Ages


class AgesTests(SynchronousTestCase):
    """Things that come one behind the other, and become too old."""

    def setUp(self) -> None:
        """A grain is one second."""
        self.ages = Ages(float(GRAINS))

    def test_expire(self) -> None:
        """All of a grain are too old when its first is; no sooner."""
        self.ages.begin(0.0, 0)
        self.ages.begin(50.0, 3)
        self.assertEqual(self.ages.expire(GRAINS - 0.5, 5), 0)
        self.assertEqual(self.ages.expire(GRAINS, 5), 3)
        self.assertEqual(self.ages.expire(GRAINS + 1, 5), 0)
        self.assertEqual(self.ages.expire(GRAINS + 50, 5), 5)
        self.assertEqual(self.ages.expire(GRAINS + 51, 5), 0)

    def test_several_at_once(self) -> None:
        """However long nobody asked."""
        for number in range(10):
            self.ages.begin(float(number), number)
        self.assertEqual(self.ages.expire(1000.0, 10), 10)

    def test_next_grain(self) -> None:
        """A grain is for what comes within its time; none is there at first, nor after the last."""
        self.assertLess(self.ages.next_grain, 0)
        self.ages.begin(10.0, 0)
        self.assertEqual(self.ages.next_grain, 11)
        self.ages.expire(10.0 + GRAINS, 1)
        self.assertLess(self.ages.next_grain, 0)

    def test_age(self) -> None:
        """The age of a thing is that of its grain, whatever was forgotten before it."""
        for moment, count in ((0.0, 0), (10.0, 3), (20.0, 5)):
            self.ages.begin(moment, count)
        for count, age in ((0, 25), (2, 25), (3, 15), (4, 15), (5, 5), (9, 5)):
            self.assertEqual(self.ages.of(count, 25.0), age)
        self.assertEqual(self.ages.expire(2.0 * GRAINS, 9), 9)
