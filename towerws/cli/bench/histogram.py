"""Durations in buckets: percentiles of any number of them, in memory that is known beforehand."""

from array import array
from math import ceil

#: Each power of two is cut into so many buckets of equal width (as HdrHistogram does it), so a
#: bucket is at most this part of its values wide: percentiles are exact to 0.8 %.
_BUCKETS_PER_OCTAVE = 128
_BITS = _BUCKETS_PER_OCTAVE.bit_length()
_SHIFT_BITS = _BITS - 1

#: Longest duration that is told apart, in nanoseconds: 18 minutes. Longer ones count as this.
LONGEST = 2**40 - 1


class Histogram:
    """Durations in nanoseconds.

    Attributes:
        count: How many there are.
        largest: The longest, exactly; 0 if there is none.
    """

    __slots__ = ("_buckets", "count", "largest")

    def __init__(self) -> None:
        self._buckets = array("Q", bytes(8 * (_index(LONGEST) + 1)))
        self.count = 0
        self.largest = 0

    def add(self, nanoseconds: int) -> None:
        """Count a duration; a negative one, of a clock that others set back, as none."""
        if nanoseconds > self.largest:  # noqa: PLR1730  # max() would cost as much as all the rest
            self.largest = nanoseconds
        if not 0 <= nanoseconds <= LONGEST:
            nanoseconds = 0 if nanoseconds < 0 else LONGEST
        # _index, without the call.
        shift = nanoseconds.bit_length() - _BITS
        if shift > 0:
            self._buckets[(shift << _SHIFT_BITS) + (nanoseconds >> shift)] += 1
        else:
            self._buckets[nanoseconds] += 1
        self.count += 1

    def percentile(self, percent: float) -> int:
        """Give the duration that so many percent of all do not exceed.

        Args:
            percent: Above 0, up to 100.

        Returns:
            Nanoseconds: never less than the exact figure (of the method "nearest rank"), and at
            most 0.8 % more; 0 if there is none.
        """
        rank = ceil(self.count * percent / 100)
        seen = 0
        for index, many in enumerate(self._buckets):
            seen += many
            if many and seen >= rank:
                return min(_last(index), self.largest)
        return 0


def _index(nanoseconds: int) -> int:
    """Find the bucket: the number itself while that is small, else its leading bits."""
    shift = max(0, nanoseconds.bit_length() - _BITS)
    return (shift << _SHIFT_BITS) + (nanoseconds >> shift)


def _last(index: int) -> int:
    """Give the longest duration that falls into a bucket."""
    shift = max(0, (index >> _SHIFT_BITS) - 1)
    return ((index - (shift << _SHIFT_BITS) + 1) << shift) - 1
