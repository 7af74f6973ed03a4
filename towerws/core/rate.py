"""A limit on how often something may happen: a token bucket."""


class TokenBucket:
    """Holds up to a burst of tokens and gets new ones at a steady rate.

    It is full at first. See https://en.wikipedia.org/wiki/Token_bucket.
    """

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        """Start full.

        Args:
            rate: New tokens per second.
            burst: How many tokens there can be.
            now: The time in seconds, of any clock that does not go back.
        """
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._updated = now

    def take(self, now: float) -> bool:
        """Take a token.

        Args:
            now: The time in seconds, of the same clock.

        Returns:
            False if there is none.
        """
        gained = (now - self._updated) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._updated = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
