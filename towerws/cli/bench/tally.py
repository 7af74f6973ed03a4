"""What of a numbered stream has come: what is missing, came twice, or came late."""

from bisect import bisect_left
from collections.abc import Sequence

#: How many gaps one stream remembers. The oldest is forgotten then: its events count as missing
#: for good, and as duplicates if they come all the same.
MAX_GAPS = 1000


class Tally:
    """The events of one group at one connection, numbered from 0 by their publisher.

    Attributes:
        received: How many different ones have come.
        duplicated: How often one came that was there already.
        reordered: How many came behind one with a higher number.
    """

    __slots__ = ("_forgotten", "_gaps", "_next", "duplicated", "received", "reordered")

    def __init__(self) -> None:
        self.received = 0
        self.duplicated = 0
        self.reordered = 0
        self._next = 0
        #: What was skipped and has not come since, ascending; and how much of it is forgotten.
        self._gaps: list[range] = []
        self._forgotten = 0

    def take(self, number: int) -> bool:
        """Note that an event has come.

        Args:
            number: Its number.

        Returns:
            Whether it is new.
        """
        if number == self._next:
            self._next = number + 1
        elif number > self._next:
            self._remember(range(self._next, number))
            self._next = number + 1
        elif not self._fill(number):
            self.duplicated += 1
            return False
        self.received += 1
        return True

    def missing(self, published: int, unpublished: Sequence[int]) -> int:
        """Count the events that have not come.

        Args:
            published: How many numbers were given out.
            unpublished: Those that were given to events which could not be published, ascending.

        Returns:
            How many of the published events are missing.
        """
        absent = [*self._gaps, range(self._next, published)]
        return self._forgotten + sum(
            len(gap) - bisect_left(unpublished, gap.stop) + bisect_left(unpublished, gap.start)
            for gap in absent
        )

    def _remember(self, gap: range) -> None:
        self._gaps.append(gap)
        if len(self._gaps) > MAX_GAPS:
            self._forgotten += len(self._gaps.pop(0))

    def _fill(self, number: int) -> bool:
        """Take an event out of the gap that it is in; tell whether there was one."""
        for index, gap in enumerate(self._gaps):
            if number in gap:
                parts = range(gap.start, number), range(number + 1, gap.stop)
                self._gaps[index : index + 1] = filter(None, parts)
                self.reordered += 1
                return True
        return False
