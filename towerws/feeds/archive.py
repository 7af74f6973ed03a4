"""Reading the stream for clients whose positions are older than what is in memory: few at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.hosts import Hosts
from towerws.core.archive import Archived
from towerws.core.history import History
from towerws.core.metrics import Metrics
from towerws.core.positions import Mark
from towerws.feeds.excerpt import Excerpt, Verdict
from towerws.feeds.stream_reader import StreamReader

#: How a reading may end without a verdict, in metrics.
_TOO_LONG, _TURNED_AWAY, _CLOSED, _FAULT = _NO_VERDICT = (
    "too_long",
    "turned_away",
    "closed",
    "fault",
)


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """How much may be asked of the stream.

    Attributes:
        max_replays: Readings at once; the broker and this process have one connection for each, and
            this process has what it found in memory until it is sent.
        replay_bytes: Memory that the events of one reading may take.
        within: Seconds that one may take, and that one may wait for its turn.
        waiting: How many may wait.
    """

    max_replays: int = 4
    replay_bytes: int = 1 << 24
    within: float = 30.0
    waiting: int = 1000


class StreamArchive:
    """Reads the stream behind positions; see `towerws.core.archive.Archive`."""

    _log = Logger()

    def __init__(
        self,
        queue: str,
        history: History,
        settings: ArchiveSettings,
        metrics: Metrics,
        clock: IReactorTime,
        *,
        connect: Callable[..., Deferred[Client]],
        hosts: Hosts,
    ) -> None:
        """Prepare; nothing is connected before something is read.

        Args:
            queue: The stream's name.
            history: Goes on where a reading ends.
            settings: How much may be asked.
            metrics: Where readings are counted.
            clock: Bounds the waiting.
            connect: Opens a connection to a host; takes also what a `Client` is told.
            hosts: The broker's.
        """
        self._reader = StreamReader(
            queue, history, settings.replay_bytes, clock, connect=connect, hosts=hosts
        )
        self._settings = settings
        self._clock = clock
        # In the order of their coming.
        self._line: dict[StreamReading, None] = {}
        self._running: set[StreamReading] = set()
        name, text = "towerws_archive_readings_total", "Readings of the stream, by result."
        self._results = {
            result: metrics.counter(name, text, result=result)
            for result in (*(each.value for each in Verdict), *_NO_VERDICT)
        }
        metrics.gauge(
            "towerws_archive_readings",
            "Readings of the stream whose events are being read or sent.",
            lambda: len(self._running),
        )
        metrics.gauge(
            "towerws_archive_waiting",
            "Readings of the stream that wait for their turn.",
            lambda: len(self._line),
        )

    def read(
        self, mark: Mark, groups: frozenset[str], answer: Callable[[Archived | None], None]
    ) -> "StreamReading":
        """Read what groups had behind a mark; see `towerws.core.archive.Archive`."""
        reading = StreamReading(mark, groups, answer, self._closed)
        settings = self._settings
        if len(self._running) >= settings.max_replays and len(self._line) >= settings.waiting:
            self._expect(reading, 0, _TURNED_AWAY)
        else:
            self._expect(reading, settings.within, _TOO_LONG)
            self._line[reading] = None
            self._advance()
        return reading

    def _advance(self) -> None:
        """Begin with as many as there are places for."""
        while self._line and len(self._running) < self._settings.max_replays:
            reading = next(iter(self._line))
            del self._line[reading]
            self._running.add(reading)
            self._expect(reading, self._settings.within, _TOO_LONG)
            run: Deferred[Any] = Deferred.fromCoroutine(self._run(reading))
            reading.run = run
            run.addCallbacks(partial(self._has_run, reading), partial(self._failed, reading))

    async def _run(self, reading: "StreamReading") -> Excerpt:
        # No answer before the question has returned.
        await deferLater(self._clock, 0)
        return await self._reader.read(reading.mark, reading.groups)

    def _expect(self, reading: "StreamReading", seconds: float, result: str) -> None:
        reading.stop()
        reading.timer = self._clock.callLater(seconds, self._end, reading, result)

    def _has_run(self, reading: "StreamReading", excerpt: Excerpt) -> None:
        assert excerpt.verdict is not None
        self._end(reading, excerpt.verdict.value, excerpt.archived)

    def _failed(self, reading: "StreamReading", failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("while reading the stream for a client", failure)
            self._end(reading, _FAULT)

    def _end(self, reading: "StreamReading", result: str, found: Archived | None = None) -> None:
        """Answer; the reading keeps its place until it is closed."""
        self._results[result].add()
        self._line.pop(reading, None)
        reading.stop()
        reading.answer(found)

    def _closed(self, reading: "StreamReading", *, is_answered: bool) -> None:
        if not is_answered:
            self._results[_CLOSED].add()
        self._line.pop(reading, None)
        self._running.discard(reading)
        self._advance()


class StreamReading:
    """One question to the archive; see `towerws.core.archive.Reading`.

    Attributes:
        mark: From where to read.
        groups: The names of the groups.
        timer: What bounds the waiting.
        run: What reads, once it is its turn.
    """

    __slots__ = ("_answer", "_closed", "groups", "mark", "run", "timer")

    def __init__(
        self,
        mark: Mark,
        groups: frozenset[str],
        answer: Callable[[Archived | None], None],
        closed: Callable[..., None],
    ) -> None:
        """Wait.

        Args:
            mark: From where to read.
            groups: The names of the groups.
            answer: Called with what was found.
            closed: Called with this one, and whether it was answered, when it is closed.
        """
        self.mark = mark
        self.groups = groups
        self.timer: IDelayedCall | None = None
        self.run: Deferred[Any] | None = None
        self._answer: Callable[[Archived | None], None] | None = answer
        self._closed: Callable[..., None] | None = closed

    def close(self) -> None:
        """Give the place back; see `towerws.core.archive.Reading`."""
        self.stop()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self, is_answered=self._answer is None)

    def answer(self, found: Archived | None) -> None:
        """Answer, once.

        Args:
            found: What was found, if anything.
        """
        answer, self._answer = self._answer, None
        assert answer is not None
        answer(found)

    def stop(self) -> None:
        """Wait no more, and read no more. Idempotent."""
        timer, self.timer = self.timer, None
        if timer is not None and timer.active():
            timer.cancel()
        run, self.run = self.run, None
        if run is not None:
            run.cancel()
