"""When a session has to be looked at again without its client having said anything."""

from collections.abc import Callable
from typing import Protocol

#: Longest time that a timer runs, in seconds. Credentials may be valid for decades, which is more
#: than a poller can count in milliseconds.
MAX_SLEEP = 86_400.0


class Timer(Protocol):
    """A call that is to be made some time."""

    def cancel(self) -> None:
        """Do not make it; nothing if it was made already."""


class Clock(Protocol):
    """Tells the time, and makes calls later."""

    def seconds(self) -> float:
        """Tell the time in seconds, of a clock that does not go back."""

    def call_later(self, delay: float, call: Callable[[], object]) -> Timer:
        """Make a call in so many seconds, or a little later."""


class Watched(Protocol):
    """What a session does when the time has come."""

    def overdue(self) -> None:
        """End it: no subscription came in time."""

    def recheck(self) -> None:
        """Look again at what the client may hear."""


class Deadlines:
    """The two times of a session, on one timer."""

    __slots__ = ("_clock", "_due", "_look_at", "_subscribe_by", "_timer", "_watched")

    def __init__(self, clock: Clock, watched: Watched) -> None:
        """Begin without a time.

        Args:
            clock: Tells the time.
            watched: Is told when one has come.
        """
        self._clock = clock
        self._watched: Watched | None = watched
        # Runs whenever there is a time that it is due.
        self._timer: Timer | None = None
        self._due: float | None = None
        self._subscribe_by: float | None = None
        self._look_at: float | None = None

    def expect_subscription(self, within: float) -> None:
        """Have the session end unless it subscribes.

        Args:
            within: In so many seconds; 0 for whenever it likes.
        """
        if within:
            self._subscribe_by = self._clock.seconds() + within
            self._set_timer()

    def subscribed(self) -> None:
        """Expect no subscription any more."""
        if self._subscribe_by is not None:
            self._subscribe_by = None
            self._set_timer()

    def look_again(self, at: float | None) -> None:
        """Have the session looked at, in place of the time that was planned before.

        Args:
            at: When, by the clock; None for never.
        """
        if at != self._look_at:
            self._look_at = at
            self._set_timer()

    def end(self) -> None:
        """Forget the times and the session."""
        self._watched = self._subscribe_by = self._look_at = None
        self._set_timer()

    def _set_timer(self) -> None:
        times = [time for time in (self._subscribe_by, self._look_at) if time is not None]
        due = min(times, default=None)
        if due == self._due:
            return
        self._due = due
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            delay = max(0.0, due - self._clock.seconds())
            self._timer = self._clock.call_later(min(delay, MAX_SLEEP), self._wake)

    def _wake(self) -> None:
        self._timer = self._due = None
        now = self._clock.seconds()
        is_overdue = self._subscribe_by is not None and self._subscribe_by <= now
        is_time = self._look_at is not None and self._look_at <= now
        if is_overdue:
            self._subscribe_by = None
        if is_time:
            self._look_at = None
        self._set_timer()
        # In this order: who is overdue is gone, and need not be looked at.
        if is_overdue and self._watched is not None:
            self._watched.overdue()
        if is_time and self._watched is not None:
            self._watched.recheck()
