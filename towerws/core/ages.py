"""How old the things in a row are, without a time for each of them."""

from collections import deque

#: Ages are known to a hundredth of the oldest that is allowed.
GRAINS = 100


class Ages:
    """When things came, to a grain: those that came within one count as old as its first.

    Things are counted from the first that ever came.

    Attributes:
        next_grain: The time from which `begin` is to be called for the next thing, in seconds.
    """

    __slots__ = ("_grain", "_grains", "_oldest", "next_grain")

    def __init__(self, oldest: float) -> None:
        """Begin without anything.

        Args:
            oldest: The age at which things are too old, in seconds.
        """
        self._oldest = oldest
        self._grain = oldest / GRAINS
        # When a grain began, and how many things there had been before it.
        self._grains: deque[tuple[float, int]] = deque()
        self.next_grain = float("-inf")

    def begin(self, now: float, count: int) -> None:
        """Begin a grain.

        Args:
            now: The time, in seconds.
            count: How many things came before it.
        """
        self._grains.append((now, count))
        self.next_grain = now + self._grain

    def expire(self, now: float, count: int) -> int:
        """Forget the grains that are too old.

        Args:
            now: The time, in seconds.
            count: How many things there have been.

        Returns:
            How many of them, from the first, are too old; 0 if none is that was not before.
        """
        expired = 0
        while self._grains and now - self._grains[0][0] >= self._oldest:
            self._grains.popleft()
            expired = self._grains[0][1] if self._grains else count
        if not self._grains:
            # What comes next belongs to none of those that were forgotten.
            self.next_grain = float("-inf")
        return expired

    def of(self, count: int, now: float) -> float:
        """Tell the age of a thing.

        Args:
            count: How many things came before it. Those may be forgotten.
            now: The time, in seconds.

        Returns:
            The age in seconds; a grain too much at most.
        """
        grains = self._grains
        while len(grains) > 1 and grains[1][1] <= count:
            grains.popleft()
        return now - grains[0][0]
