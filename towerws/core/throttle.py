"""A limit on how often the same thing is logged, so that nobody can fill a disk with log lines."""

from collections.abc import Callable

#: Seconds between two log lines about the same thing.
DEFAULT_INTERVAL = 60.0


class Throttle:
    """Lets one log line through at a time, and counts those that it held back."""

    def __init__(self, seconds: Callable[[], float], interval: float = DEFAULT_INTERVAL) -> None:
        """Start with nothing held back.

        Args:
            seconds: The clock.
            interval: Seconds between two lines about the same thing.
        """
        self._seconds = seconds
        self._interval = interval
        self._last: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def permit(self, key: str) -> int | None:
        """Ask whether to log.

        Args:
            key: What about; from a small fixed set.

        Returns:
            None to keep silent; otherwise how many lines were held back since the last one.
        """
        now = self._seconds()
        last = self._last.get(key)
        if last is not None and now - last < self._interval:
            self._held_back[key] = self._held_back.get(key, 0) + 1
            return None
        self._last[key] = now
        return self._held_back.pop(key, 0)

    def log(self, write: Callable[..., None], key: str, text: str, /, **fields: object) -> None:
        """Log, unless it is too soon; what was held back meanwhile is told in the same line.

        Args:
            write: Takes a text with ``{field}`` and the fields by name, as
                ``twisted.logger.Logger.warn`` does.
            key: What about; from a small fixed set.
            text: The line.
            **fields: What differs from one line to the next.
        """
        held_back = self.permit(key)
        if held_back is not None:
            if held_back:
                text += " ({held_back} such lines held back)"
            write(text, held_back=held_back, **fields)
