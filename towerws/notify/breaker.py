"""A circuit breaker: after a failure, further attempts fail at once for a while."""

import time
from collections.abc import Callable


class Breaker:
    """Tells whether an attempt is worth its time.

    A web process whose broker is away would otherwise spend the whole timeout on every event.
    After a failure nobody tries for a while; after each further failure for twice as long.
    """

    def __init__(
        self, first: float, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start closed, as an electrician says: attempts are made.

        Args:
            first: Length of the first pause, in seconds; 0 for no pauses at all.
            longest: Length that no pause passes, in seconds.
            clock: Monotonic time in seconds.
        """
        self._first = first
        self._longest = longest
        self._clock = clock
        self._pause = 0.0
        self._until = 0.0
        #: Whether the last attempt failed.
        self.tripped = False

    def wait(self) -> float:
        """Tell how long no attempt should be made: seconds, 0 if one may be made now."""
        return max(0.0, self._until - self._clock()) if self.tripped else 0.0

    def succeeded(self) -> None:
        """Take note that an attempt went well: no more pauses."""
        self._pause = 0.0
        self.tripped = False

    def failed(self) -> None:
        """Take note that an attempt failed: pause, twice as long as the last time."""
        self._pause = min(self._pause * 2 or self._first, self._longest)
        self._until = self._clock() + self._pause
        self.tripped = True
