"""Keeps one worker running: starts it, and another one when it has ended."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.core.metrics import Counter
from towerws.workers.process import Launch, WorkerProcess

#: Why a worker may end, see `WorkerProcess.cause`; ``spawn``: it could not be started.
CAUSES = ("exit", "signal", "silent", "fault", "spawn")

#: Seconds before a worker is started again, by how many have ended soon after their start. The
#: first time at once: clients wait. A worker that cannot work costs one start each 5 s.
DELAYS = (0.0, 0.5, 1.0, 2.0, 5.0)

#: Seconds that a worker must have lived for the delays to begin anew.
STABLE_AFTER = 30.0

#: Seconds before the end of a worker that got SIGTERM is taken for what it seems. If all processes
#: get it at once, as systemd does it, that worker may be gone before we have seen our own.
TERM_GRACE = 0.2

#: Seconds for a worker to end in order. It gives its clients 3 to answer, and the broker 2 to stop
#: sending and 2 to close the connection.
STOP_WITHIN = 10.0

#: Seconds on top of those over which it drains: its slow readers get 5 when all are sent away.
DRAIN_MARGIN = 6.0


class Keeper:
    """Sees to it that there is a worker, until it is told to stop.

    Attributes:
        number: The worker's, from 1.
        process: The one that runs now, if one does.
    """

    _log = Logger()

    def __init__(
        self, number: int, launch: Launch, reactor: Any, restarts: Mapping[str, Counter]
    ) -> None:
        """Start nothing yet.

        Args:
            number: The worker's, from 1.
            launch: How to start it.
            reactor: Starts processes and measures the time.
            restarts: Count the ends that nobody wanted, by `CAUSES`.
        """
        self.number = number
        self.process: WorkerProcess | None = None
        self._launch = launch
        self._reactor = reactor
        self._restarts = restarts
        self._last_end = "it has not been started"
        self._stopping = False
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Start a worker, and another one whenever it has ended."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    def drain(self, seconds: float) -> Deferred[None]:
        """Let the worker send its clients away and then end, and start none any more.

        Args:
            seconds: Over how many it sends them away.

        Returns:
            Fires when it has ended, within a bounded time; sooner if `stop` is called meanwhile.
        """
        return self._end(WorkerProcess.drain, seconds + DRAIN_MARGIN + STOP_WITHIN)

    def stop(self) -> Deferred[None]:
        """Let the worker end, and start none any more.

        Returns:
            Fires when it has ended, within a bounded time.
        """
        return self._end(WorkerProcess.finish, STOP_WITHIN)

    def unready(self) -> str | None:
        """Give the reason why the worker's clients get no events, None if they do."""
        return self._last_end if self.process is None else self.process.unready

    async def _run(self) -> None:
        attempt = 0
        while True:
            lived, cause = await self._serve()
            if self._stopping:
                return
            attempt = 0 if lived >= STABLE_AFTER else attempt
            delay = DELAYS[min(attempt, len(DELAYS) - 1)]
            attempt += 1
            self._restarts[cause].add()
            self._log.warn(
                "worker {number}: {end}; another one starts in {delay:g} s",
                number=self.number,
                end=self._last_end,
                delay=delay,
            )
            await deferLater(self._reactor, delay)

    async def _serve(self) -> tuple[float, str]:
        """Run one process from its start to its end; tell how long it lived, and why it ended."""
        process = WorkerProcess(self.number, self._launch, self._reactor)
        began = self._reactor.seconds()
        try:
            ended = process.start()
        except OSError as error:
            self._last_end = f"it cannot be started: {error}"
            return 0.0, "spawn"
        self.process = process
        try:
            self._last_end = f"it ended {await ended}"
        finally:
            self.process = None
        lived = self._reactor.seconds() - began
        if process.terminated and not self._stopping:
            await deferLater(self._reactor, TERM_GRACE)
        return lived, process.cause or "exit"

    def _end(self, tell: Callable[[WorkerProcess], None], within: float) -> Deferred[None]:
        self._stopping = True
        if self._running is None:
            return succeed(None)
        return Deferred.fromCoroutine(self._wait_for_end(self._running, tell, within))

    async def _wait_for_end(
        self, running: Deferred[None], tell: Callable[[WorkerProcess], None], within: float
    ) -> None:
        if self.process is None:
            running.cancel()
            return
        tell(self.process)
        last_resort = self._reactor.callLater(within, self.process.kill, "slow")
        await running
        if last_resort.active():
            last_resort.cancel()
        else:
            self._log.warn("worker {number} did not end in time", number=self.number)

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._last_end = "a fault of the supervisor ended it"
            self._log.failure("worker {number} is not kept", failure, number=self.number)
