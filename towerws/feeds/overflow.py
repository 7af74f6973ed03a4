"""When to tell that the broker drops events from the queue.

A dead letter tells that some were dropped, and stands about where they did: a queue that drops has
messages that it may not send yet. It goes by way of another queue, so a few events that were behind
the dropped ones may have been faster; and while one waits to be acknowledged, it stands for all
that are dropped meanwhile. So the first one is a gap at once, and if more come, there is another
gap behind the last.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds without a dead letter after which the broker drops no more: twice as long as
#: acknowledgements take, for each of which it sends one.
QUIET = 0.1

#: Seconds from one gap to the next, at most, while the broker goes on dropping.
LONGEST = 1.0


class Overflow:
    """Makes few gaps of many dead letters."""

    def __init__(self, clock: IReactorTime, tell: Callable[[], None]) -> None:
        """Begin with nothing dropped.

        Args:
            clock: Measures time.
            tell: Tells the gap.
        """
        self._clock = clock
        self._tell = tell
        self._tell_by = 0.0
        self._is_more = False
        self._call: IDelayedCall | None = None

    def noticed(self) -> None:
        """Take note of a dead letter; all events that came before it have been handed on."""
        now = self._clock.seconds()
        if self._call is None:
            self._tell_by = now + LONGEST
            self._tell()
        else:
            self._is_more = True
            self._call.cancel()
        delay = min(QUIET, max(0.0, self._tell_by - now))
        self._call = self._clock.callLater(delay, self._quiet)

    def end(self) -> None:
        """Wait for no more: the connection is gone, or given up."""
        if self._call is not None:
            self._call.cancel()
            self._quiet()

    def _quiet(self) -> None:
        self._call = None
        is_more, self._is_more = self._is_more, False
        if is_more:
            self._tell()
