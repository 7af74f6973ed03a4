"""What of a numbered stream has come."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.cli.bench import tally
from towerws.cli.bench.tally import Tally


def of(*numbers: int) -> Tally:
    """Take numbers in."""
    made = Tally()
    for number in numbers:
        made.take(number)
    return made


def figures(made: Tally) -> tuple[int, int, int]:
    """Give what was counted."""
    return made.received, made.duplicated, made.reordered


class TallyTests(SynchronousTestCase):
    """`Tally` tells apart what is missing, doubled and late."""

    @PROPERTY
    @given(st.lists(st.integers(0, 30)), st.integers(0, 40), st.sets(st.integers(0, 40)))
    def test_any_stream(self, numbers: list[int], more: int, unpublished: set[int]) -> None:
        """It says the same as sets of everything."""
        seen: set[int] = set()
        duplicated = reordered = 0
        made = Tally()
        for number in numbers:
            new = number not in seen
            duplicated += not new
            reordered += new and bool(seen) and number < max(seen)
            seen.add(number)
            self.assertEqual(made.take(number), new)
        self.assertEqual(figures(made), (len(seen), duplicated, reordered))
        published = max(seen, default=-1) + 1 + more
        absent = set(range(published)) - seen - unpublished
        failed = sorted(number for number in unpublished if number < published)
        self.assertEqual(made.missing(published, failed), len(absent))

    def test_in_order(self) -> None:
        """The usual case."""
        made = of(0, 1, 2)
        self.assertEqual(figures(made), (3, 0, 0))
        self.assertEqual((made.missing(3, []), made.missing(5, [])), (0, 2))

    def test_gap(self) -> None:
        """What is skipped is missing until it comes; then it was late, and the next time twice."""
        made = of(0, 4)
        self.assertEqual(made.missing(5, []), 3)
        self.assertTrue(made.take(2))
        self.assertFalse(made.take(2))
        self.assertEqual(figures(made), (3, 1, 1))
        self.assertEqual(made.missing(5, []), 2)

    def test_unpublished(self) -> None:
        """An event that could not be published is not missed."""
        self.assertEqual(of(0, 3).missing(6, [1, 4]), 2)

    def test_many_gaps(self) -> None:
        """Memory is bounded: the oldest gaps are forgotten, but not that they are missing."""
        self.patch(tally, "MAX_GAPS", 3)
        made = of(*range(0, 20, 2))
        self.assertEqual(len(made._gaps), 3)
        self.assertEqual(made.missing(19, []), 9)
        self.assertFalse(made.take(1))
        self.assertTrue(made.take(17))
        self.assertEqual(made.missing(19, []), 8)
