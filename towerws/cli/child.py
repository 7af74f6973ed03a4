"""A process that a command starts and stops again, such as the server of the demo."""

import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

#: How many of its last lines are kept, to be shown when it fails.
KEPT_LINES = 200

#: Longest line, in bytes; what is longer becomes several.
MAX_LINE = 16_384

#: How long it may take to end after SIGTERM, in seconds, before SIGKILL. The server gives its
#: clients 2 s to say goodbye.
STOP_TIMEOUT = 8.0


class Child(ProcessProtocol):
    """A Python process of ours.

    Attributes:
        lines: The last lines that it wrote, on standard output and standard error alike.
        status: Its exit status once it has ended, negative after a signal; None while it runs.
    """

    transport: IProcessTransport

    def __init__(self, echo: Callable[[bytes], object] | None = None) -> None:
        """Start nothing yet.

        Args:
            echo: Given each line that it writes, without the line's end.
        """
        self.lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self.status: int | None = None
        self._echo = echo
        self._partial: dict[int, bytes] = {}
        self._waiting: list[Deferred[int]] = []

    def start(self, reactor: Any, *arguments: str) -> None:
        """Start it.

        Args:
            reactor: Starts and watches it.
            *arguments: What comes after ``python``.
        """
        # Our own TOWERWS_BROKER or TOWERWS_URL would lead it to somewhere else.
        inherited = os.environ.items()
        environment = {name: value for name, value in inherited if not name.startswith("TOWERWS_")}
        environment["PYTHONUNBUFFERED"] = "1"
        reactor.spawnProcess(self, sys.executable, [sys.executable, *arguments], environment)
        self.transport.closeStdin()

    def ended(self) -> Deferred[int]:
        """Wait for its end.

        Returns:
            Fires with the exit status; may be cancelled, which leaves the process alone.
        """
        waiting: Deferred[int] = Deferred(self._waiting.remove)
        if self.status is None:
            self._waiting.append(waiting)
        else:
            waiting.callback(self.status)
        return waiting

    async def stop(self, reactor: Any) -> None:
        """End it: SIGTERM, and SIGKILL if that does not help in time.

        Args:
            reactor: Measures the time.
        """
        if self.status is not None:
            return
        self._signal("TERM")
        kill = reactor.callLater(STOP_TIMEOUT, self._signal, "KILL")
        await self.ended()
        if kill.active():
            kill.cancel()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803
        """Take output in, and cut it into lines."""
        *lines, rest = (self._partial.get(childFD, b"") + data).split(b"\n")
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._partial[childFD] = rest
        for line in lines:
            self._keep(line)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        """Note how it ended; all output has been read by now."""
        for rest in filter(None, self._partial.values()):
            self._keep(rest)
        ended: Any = reason.value
        self.status = -ended.signal if ended.signal is not None else ended.exitCode
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(self.status)

    def _keep(self, line: bytes) -> None:
        self.lines.append(line)
        if self._echo is not None:
            self._echo(line)

    def _signal(self, name: str) -> None:
        try:
            self.transport.signalProcess(name)
        except ProcessExitedAlready:
            # It has ended, but its output has not been read to the end.
            pass
