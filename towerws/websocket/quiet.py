"""Autobahn's log lines, of which clients decide how many there are.

Autobahn writes two lines for each handshake that is refused, and two for each connection that is
failed or dropped, of which the second says nothing more, but for timeouts, which have no first.
Whoever opens ten thousand wrong ones must not fill the disk, nor keep the server busy with writing.
How many there were is in the metrics.
"""

from collections.abc import Callable

from twisted.logger import Logger, LogLevel

from towerws.core.throttle import Throttle

#: What is written behind a line that tells why; of a timeout it is the only one.
_SAID, _TIMEOUT = "dropping connection to peer", " timeout ("


class QuietLog:
    """Takes the place of the ``log`` of Autobahn's protocols: one line of a kind in a minute."""

    _log = Logger(namespace="autobahn.websocket")

    def __init__(self, seconds: Callable[[], float]) -> None:
        """Start with nothing held back.

        Args:
            seconds: The clock.
        """
        self._throttle = Throttle(seconds)

    def debug(self, text: str, **fields: object) -> None:
        """Write nothing: there are some thirty of these for each handshake."""

    def info(self, text: str, **fields: object) -> None:
        """Write a line, unless there was one with this text a short time ago.

        Args:
            text: With ``{field}`` for what differs.
            **fields: What differs.
        """
        self._emit(LogLevel.info, text, text, fields)

    def warn(self, text: str, **fields: object) -> None:
        """Write a warning; see `info`."""
        self._emit(LogLevel.warn, text, text, fields)

    def error(self, text: str, **fields: object) -> None:
        """Write an error; all are of one kind, because Autobahn puts the reason in the text."""
        self._emit(LogLevel.error, "error", text, fields)

    def _emit(self, level: LogLevel, kind: str, text: str, fields: dict[str, object]) -> None:
        if text.startswith(_SAID) and _TIMEOUT not in str(fields.get("reason")):
            return
        held_back = self._throttle.permit(kind)
        if held_back is None:
            return
        if held_back:
            text += " ({held_back} more of this kind since the last one)"
        self._log.emit(level, text, held_back=held_back, **fields)
