"""`towerws.core.lingering`: what is kept for a while after its last use."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.lingering import Lingering


class LingeringTests(SynchronousTestCase):
    """Names are kept for ten seconds, and no more than three of them."""

    def setUp(self) -> None:
        """Keep nothing yet."""
        self.lingering = Lingering(10.0, 3)

    def test_time(self) -> None:
        """Each name is kept for its time, and given out once."""
        self.lingering.keep(["a"], 0.0)
        self.lingering.keep(["b"], 4.0)
        self.assertEqual((len(self.lingering), self.lingering.next_end), (2, 10.0))
        self.assertEqual(self.lingering.ended(9.9), [])
        self.assertEqual(self.lingering.ended(10.0), ["a"])
        self.assertEqual(self.lingering.next_end, 14.0)
        self.assertEqual(self.lingering.ended(99.0), ["b"])
        self.assertEqual(self.lingering.ended(99.0), [])
        self.assertEqual((len(self.lingering), self.lingering.next_end), (0, None))

    def test_number(self) -> None:
        """Of those that are too many, the oldest go."""
        self.lingering.keep(["a", "b", "c"], 0.0)
        self.assertEqual(self.lingering.excess(), [])
        self.lingering.keep(["d", "e"], 1.0)
        self.assertEqual(self.lingering.excess(), ["a", "b"])
        self.assertEqual(self.lingering.excess(), [])
        self.assertEqual(self.lingering.ended(99.0), ["c", "d", "e"])

    def test_taken(self) -> None:
        """A name that is in use again ends no more; who comes back later is young again."""
        self.lingering.keep(["a", "b"], 0.0)
        self.assertTrue(self.lingering.take("a"))
        self.assertFalse(self.lingering.take("a"))
        self.lingering.keep(["a"], 5.0)
        self.assertEqual(self.lingering.ended(10.0), ["b"])
        self.assertEqual(self.lingering.ended(15.0), ["a"])

    def test_not_at_all(self) -> None:
        """Without a time all ends at once, and without a number all is too much."""
        lingering = Lingering(0.0, 3)
        lingering.keep(["a", "b", "c", "d"], 7.0)
        self.assertEqual(lingering.ended(7.0), ["a", "b", "c", "d"])
        lingering = Lingering(10.0, 0)
        lingering.keep(["a"], 7.0)
        self.assertEqual(lingering.excess(), ["a"])

    def test_cleared(self) -> None:
        """Nothing is kept, and nothing ends."""
        self.lingering.keep(["a"], 0.0)
        self.lingering.clear()
        self.assertEqual((self.lingering.ended(99.0), len(self.lingering)), ([], 0))
