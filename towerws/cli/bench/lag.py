"""How late the load generator itself is: what it measures cannot be more exact."""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from towerws.cli.bench.histogram import Histogram

#: How often to look, in seconds.
INTERVAL = 0.01

_SECOND = 1_000_000_000


class LagMeter:
    """Measures the lag of the reactor and the CPU time of the process.

    An event that arrives while the reactor is busy waits as long as a timer does.

    Attributes:
        lag: By how much timers were late.
    """

    def __init__(self, reactor: Any, cpu: Callable[[], float] = time.process_time) -> None:
        """Measure nothing yet.

        Args:
            reactor: Timers and clock.
            cpu: The CPU time that this process has used, in seconds.
        """
        self.lag = Histogram()
        self._reactor = reactor
        self._cpu = cpu
        self._call: IDelayedCall | None = None
        self._due = self._began = self._cpu_before = 0.0
        self._cpu_used = self._seconds = 0.0

    @property
    def cpu_share(self) -> float:
        """CPU time between `start` and `stop` by the time that passed; 1 is a whole core."""
        return self._cpu_used / self._seconds if self._seconds else 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._began, self._cpu_before = self._reactor.seconds(), self._cpu()
        self._schedule()

    def stop(self) -> None:
        """End measuring."""
        self._seconds = self._reactor.seconds() - self._began
        self._cpu_used = self._cpu() - self._cpu_before
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        self._due = self._reactor.seconds() + INTERVAL
        self._call = self._reactor.callLater(INTERVAL, self._look)

    def _look(self) -> None:
        self.lag.add(round((self._reactor.seconds() - self._due) * _SECOND))
        self._schedule()
