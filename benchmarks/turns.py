"""A server whose turns of the reactor are timed: how long it did not look at its sockets.

Run as ``python -m benchmarks.turns RESULT COMMAND...``: it runs a command line of ``twistd`` on an
epoll reactor and keeps the longest turn so far in RESULT, a file of 16 bytes. A turn lasts from one
return of epoll_wait to the next call: everything the process does but wait, garbage collection and
time that it was ready to run and did not get a processor included.
"""

import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import epollreactor
from twisted.internet.main import installReactor

#: The longest turn so far in seconds: of the clock, and of the processor.
_FORMAT = struct.Struct("dd")


class LongestTurn:
    """The longest turn of another process."""

    def __init__(self, path: Path) -> None:
        """Begin to watch.

        Args:
            path: The file; it is made if it is not there.
        """
        if not path.exists():
            path.write_bytes(_FORMAT.pack(0, 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORMAT.size)

    def reset(self) -> None:
        """Begin anew."""
        self.write(0, 0)

    def write(self, clock: float, cpu: float) -> None:
        """Store."""
        _FORMAT.pack_into(self._map, 0, clock, cpu)

    def read(self) -> tuple[float, float]:
        """Give the longest turn in seconds of the clock, and in seconds of CPU."""
        clock, cpu = _FORMAT.unpack_from(self._map)
        return clock, cpu


class _TimedPoller:
    """An epoll object that times what is done between its calls."""

    def __init__(self, poller: Any, longest: LongestTurn) -> None:
        self._poller = poller
        self._longest = longest
        self._began: tuple[float, float] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, timeout: float, maxevents: int) -> Any:
        if self._began is not None:
            # What was stored may have been reset by the reader meanwhile.
            clock, cpu = self._longest.read()
            self._longest.write(
                max(clock, time.monotonic() - self._began[0]),
                max(cpu, time.thread_time() - self._began[1]),
            )
        try:
            return self._poller.poll(timeout, maxevents)
        finally:
            self._began = time.monotonic(), time.thread_time()


def main() -> None:
    """Run the server."""
    _, result, *command = sys.argv
    reactor: Any = epollreactor.EPollReactor()
    timed = _TimedPoller(reactor._poller, LongestTurn(Path(result)))  # noqa: SLF001
    reactor._poller = timed  # noqa: SLF001
    installReactor(reactor)
    sys.argv = command
    # It looks for the reactor when it is loaded.
    from twisted.scripts.twistd import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
