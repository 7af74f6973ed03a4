"""Percentiles from buckets, beside those of sorted lists."""

from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.cli.bench.histogram import LONGEST, Histogram, _index, _last


def of(*durations: int) -> Histogram:
    """Make a histogram."""
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram


class HistogramTests(SynchronousTestCase):
    """`Histogram` knows percentiles to 0.8 %."""

    @PROPERTY
    @given(
        st.lists(st.integers(0, 40).flatmap(lambda bits: st.integers(0, 2**bits - 1)), min_size=1),
        st.floats(0.1, 100),
    )
    def test_percentiles(self, durations: list[int], percent: float) -> None:
        """Never less than the exact figure, at most 0.8 % more, never above the largest."""
        exact = sorted(durations)[ceil(len(durations) * percent / 100) - 1]
        found = of(*durations).percentile(percent)
        self.assertGreaterEqual(found, exact)
        self.assertLessEqual(found, exact * (1 + 1 / 128))
        self.assertLessEqual(found, max(durations))

    def test_ranks(self) -> None:
        """The nearest rank is meant."""
        histogram = of(*range(1, 101))
        for percent, value in ((1, 1), (50, 50), (50.1, 51), (99, 99), (99.9, 100), (100, 100)):
            self.assertEqual(histogram.percentile(percent), value)

    def test_none(self) -> None:
        """Without durations everything is 0."""
        self.assertEqual((of().percentile(50), of().largest, of().count), (0, 0, 0))

    def test_outside(self) -> None:
        """What is too long counts as the longest and is told exactly; less than none is none."""
        histogram = of(-5, 2**50)
        self.assertEqual(histogram.percentile(50), 0)
        self.assertEqual(histogram.percentile(100), LONGEST)
        self.assertEqual((histogram.largest, histogram.count), (2**50, 2))

    def test_memory(self) -> None:
        """Any number of durations takes the same 35 KB."""
        histogram = of(0, 1, LONGEST, *range(0, 10**6, 997))
        self.assertEqual(len(histogram._buckets), _index(LONGEST) + 1)
        self.assertLess(len(histogram._buckets) * 8, 36_000)

    @PROPERTY
    @given(st.integers(0, LONGEST))
    def test_buckets(self, duration: int) -> None:
        """Buckets follow one another without gaps, and `add` finds the same one as `_index`."""
        index = _index(duration)
        self.assertGreaterEqual(_last(index), duration)
        self.assertTrue(index == 0 or _last(index - 1) < duration)
        self.assertEqual(of(duration)._buckets[index], 1)
