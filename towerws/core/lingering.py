"""Things that are kept for a while after their last use, in bounded number."""

from collections.abc import Iterable
from itertools import islice


class Lingering:
    """Names that nobody uses any more and that are kept for a while, in case somebody returns."""

    def __init__(self, seconds: float, most: int) -> None:
        """Keep nothing yet.

        Args:
            seconds: How long a name is kept; 0 for not at all.
            most: How many are kept.
        """
        self._seconds = seconds
        self._most = most
        # In the order in which they came, which is that in which they end.
        self._ends: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the names that are kept."""
        return len(self._ends)

    @property
    def next_end(self) -> float | None:
        """When the oldest one has been kept long enough; None if there is none."""
        return next(iter(self._ends.values()), None)

    def keep(self, names: Iterable[str], now: float) -> None:
        """Begin to keep names; `ended` and `excess` tell which of all are to go.

        Args:
            names: Names that are not kept.
            now: The time in seconds.
        """
        end = now + self._seconds
        for name in names:
            self._ends[name] = end

    def take(self, name: str) -> bool:
        """Keep a name no more, since it is in use again.

        Args:
            name: The name.

        Returns:
            Whether it was kept.
        """
        return self._ends.pop(name, None) is not None

    def ended(self, now: float) -> list[str]:
        """Keep no more what has been kept long enough.

        Args:
            now: The time in seconds.

        Returns:
            The names, the oldest first.
        """
        names = []
        for name, end in self._ends.items():
            if end > now:
                break
            names.append(name)
        return self._drop(names)

    def excess(self) -> list[str]:
        """Keep no more what is too much.

        Returns:
            The names, the oldest first.
        """
        return self._drop(list(islice(self._ends, max(0, len(self) - self._most))))

    def clear(self) -> None:
        """Keep nothing any more."""
        self._ends.clear()

    def _drop(self, names: list[str]) -> list[str]:
        for name in names:
            del self._ends[name]
        return names
