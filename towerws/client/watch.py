"""Notices that a server has fallen silent."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: How much longer than it may last a silence is watched, in seconds: a process that was busy or
#: asleep has to read first what came meanwhile.
GRACE = 1.0


class Watch:
    """Calls when there was no sign of life for too long; not before `expect`."""

    def __init__(self, clock: IReactorTime, silent: Callable[[float], object]) -> None:
        """Expect nothing yet.

        Args:
            clock: Measures the silence.
            silent: Called with how long it was to last at most, in seconds; once.
        """
        self._clock = clock
        self._silent = silent
        self._longest = 0.0
        self._heard = 0.0
        self._call: IDelayedCall | None = None

    def expect(self, longest: float | None) -> None:
        """Expect signs of life from now on.

        Args:
            longest: How long there may be none, in seconds; None for any time.
        """
        self.stop()
        if longest is not None:
            self._longest = longest
            self.heard()
            self._call = self._clock.callLater(longest, self._look)

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard = self._clock.seconds()

    def stop(self) -> None:
        """Expect nothing any more. Idempotent."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        if (early := self._heard + self._longest - self._clock.seconds()) > 0:
            self._call = self._clock.callLater(early, self._look)
        else:
            self._call = self._clock.callLater(GRACE, self._look_again)

    def _look_again(self) -> None:
        if self._heard + self._longest > self._clock.seconds():
            self._look()
        else:
            self._call = None
            self._silent(self._longest)
