"""How one client behaves: whether it may speak, and when it has gone over its limits too often."""

from towerws.core.deadlines import Clock
from towerws.core.limits import Limits, SessionCounters
from towerws.core.rate import TokenBucket


class Conduct:
    """Keeps count of what one client does beyond its limits."""

    __slots__ = ("_bucket", "_clock", "_counters", "_limits", "_strikes", "_user")

    def __init__(
        self, limits: Limits, counters: SessionCounters, clock: Clock, user: int | str | None
    ) -> None:
        """Begin with good conduct.

        Args:
            limits: How much the client may ask for.
            counters: Count what goes beyond that.
            clock: Tells the time.
            user: The client's user, for the log.
        """
        self._limits = limits
        self._counters = counters
        self._clock = clock
        self._user = user
        self._bucket = TokenBucket(limits.rate, limits.burst, clock.seconds())
        self._strikes = 0

    def may_speak(self) -> bool:
        """Tell whether one more message is within its rate."""
        return self._bucket.take(self._clock.seconds())

    def refused(self, limit: str) -> None:
        """Take note of a message that was refused for a limit, through no fault of the client.

        Args:
            limit: Its name, as for `Excesses.note`.
        """
        self._counters.over_limit.add()
        self.note(limit)

    def strike(self, limit: str) -> bool:
        """Take note of a message that was refused for a limit, by the client's own fault.

        Args:
            limit: Its name.

        Returns:
            Whether that was once too often.
        """
        self.refused(limit)
        self._strikes += 1
        return self._strikes >= self._limits.strikes

    def forgive(self) -> None:
        """Begin to count anew: the client has asked for something sensible."""
        self._strikes = 0

    def note(self, limit: str) -> None:
        """Count that a limit was reached.

        Args:
            limit: Its name.
        """
        self._counters.excesses.note(limit, f"user {self._user}")
