"""What was published last, so that whoever was away for a while can be told.

It is bounded in memory, number and age, and it knows what it does not have: every answer is either
all that groups had from a position on, or that this cannot be told from here. Three things make it
incomplete: what was forgotten, an interruption of the source (`History.cut`), and, where the source
brings only groups that somebody listens to, the time in which a group had nobody.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from towerws.core.ages import Ages
from towerws.core.event import Event
from towerws.core.event_log import EventLog
from towerws.core.metrics import Counter, Metrics
from towerws.core.positions import Mark, Positions

#: What is over a bound is forgotten together with this part of what the bound allows, so that most
#: events come without any being forgotten: one by one costs more.
_PORTION = 256

_FOREIGN = "the position is of another server process, or none at all"
_AHEAD = "the position is ahead of everything that was published"
_ANOTHER_LOG = "the position is not of this log"
_TOO_OLD = "the position is older than what is kept, or than an interruption"
_NOT_COVERED = "nobody listened to one of the groups for a while"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept; what exceeds any of these is forgotten, the oldest first.

    Attributes:
        bytes: Memory, of payloads and of what keeps them, estimated. The default is that of 100,000
            events with payloads of 540 bytes.
        events: Their number.
        seconds: Their age; they may be forgotten a hundredth earlier. The default outlasts a lid
            that is closed from one meeting to the next.
    """

    bytes: int = 1 << 26
    events: int = 100_000
    seconds: float = 600.0


class Kind(Enum):
    """Where what a client has missed can be found."""

    MEMORY = "memory"
    """Here: all of it."""
    ELSEWHERE = "elsewhere"
    """Not here: the position is older than what is kept, or ahead of it. An archive may know."""
    NOWHERE = "nowhere"
    """It cannot be told: there is a gap."""


class Start(NamedTuple):
    """What is known of a position that a client came back with.

    Attributes:
        kind: Where to read on from it.
        offset: The position's, for `History.read`. If the kind is MEMORY, the position is proven.
        mark: The same, and what proves it, for an archive.
        why: If there is a gap, the reason, as one sentence for the client.
    """

    kind: Kind
    offset: int = 0
    mark: Mark = Mark(0, "")
    why: str = ""


class History:
    """The last events, of all groups.

    Attributes:
        positions: What writes and reads positions in it.
    """

    def __init__(
        self,
        positions: Positions,
        bounds: Bounds,
        metrics: Metrics,
        seconds: Callable[[], float],
        *,
        is_partial: bool = False,
    ) -> None:
        """Begin without any event.

        Args:
            positions: What writes and reads positions.
            bounds: How much to keep.
            metrics: Where that is shown.
            seconds: Tells the time, in seconds.
            is_partial: Whether the source brings the events of those groups only that it has said
                it covers.
        """
        self.positions = positions
        self._bounds = bounds
        self._seconds = seconds
        self._log = EventLog()
        # By name: the place from which on all events of the group have come.
        self._covered: dict[str, int] | None = {} if is_partial else None
        # All that was published behind the floor is here. The event at the floor itself is kept for
        # its fingerprint; None if it was never here.
        origin = positions.parse(positions.origin)
        self._at_floor = self._last = None if origin is None else Event("", b"", origin.offset)
        self._floor = self.last
        self._position: str | None = positions.origin
        self._ages = Ages(bounds.seconds)
        self._register(metrics)

    def _register(self, metrics: Metrics) -> None:
        name, text = "towerws_history_evicted_total", "Events that were forgotten, by cause."
        self._by_bytes = metrics.counter(name, text, cause="bytes")
        self._by_count = metrics.counter(name, text, cause="events")
        self._by_age = metrics.counter(name, text, cause="seconds")
        self._by_gap = metrics.counter(name, text, cause="gap")
        log = self._log
        metrics.gauge("towerws_history_events", "Events that can be replayed.", lambda: log.events)
        metrics.gauge("towerws_history_bytes", "Memory of the history, in bytes.", lambda: log.size)
        metrics.gauge("towerws_history_seconds", "Age of the oldest event, in seconds.", self.age)

    # --- what is published ---

    def append(self, runs: Sequence[tuple[str, list[Event]]]) -> None:
        """Keep events, and forget the oldest for them.

        Args:
            runs: Names of groups and their events, which are at least one; by rising offsets.

        Raises:
            ValueError: The offset is none behind `last`, and positions are this process's own:
                whoever numbers events does not do it with `LocalPositions.next`.
        """
        if not runs:
            return
        first, last = runs[0][1][0].offset, self._last
        if last is None or first <= last.offset:
            self._begin_at(first)
        now = self._seconds()
        if now >= self._ages.next_grain:
            self._expire(now)
            self._ages.begin(now, self._log.appended)
        log, bounds = self._log, self._bounds
        log.append(runs)
        self._last = runs[-1][1][-1]
        self._position = None
        if log.size > bounds.bytes:
            self._forget(self._by_bytes, log.events, bounds.bytes - bounds.bytes // _PORTION)
        if log.events > bounds.events:
            self._forget(self._by_count, bounds.events - bounds.events // _PORTION, log.size)

    def expire(self) -> None:
        """Forget what has become too old; to be called every few seconds."""
        self._expire(self._seconds())

    def cut(self) -> None:
        """Take note of a gap: nobody can resume from before it.

        Who has heard of it can resume, from `position` as it is then. In a log of this process's
        that is a place of its own. In a shared one it is the last event, so the first one behind
        the gap is to be appended before this.
        """
        self._forget(self._by_gap, 0, 0)
        self._advance()
        self._floor, self._at_floor = self.last, self._last

    def cover(self, group: str) -> None:
        """Take note that the source brings a group's events from now on.

        Args:
            group: Its name; again changes nothing. Not in a history of all groups.
        """
        assert self._covered is not None
        if group not in self._covered:
            # A place of its own: who has got the same events, but was here before this, may have
            # missed some of the group.
            self._advance()
            self._covered[group] = self.last

    def uncover(self, group: str) -> None:
        """Take note that the source does not bring a group's events any more.

        Args:
            group: Its name; one that is not covered is fine as well.
        """
        assert self._covered is not None
        self._covered.pop(group, None)

    # --- where it stands ---

    @property
    def last(self) -> int:
        """The offset of the last event, or of what happened since; -1 or 0 before any."""
        return -1 if self._last is None else self._last.offset

    @property
    def position(self) -> str:
        """The position of whoever has heard all that there was."""
        if self._position is None:
            assert self._last is not None
            self._position = self.positions.format(self._last)
        return self._position

    def age(self) -> float:
        """Tell the age of the oldest event, in seconds; 0 if there is none."""
        log = self._log
        return self._ages.of(log.forgotten, self._seconds()) if log.events else 0.0

    # --- what somebody missed ---

    def start(self, since: str, groups: Collection[str]) -> Start:
        """Find out where a client can go on.

        Args:
            since: Its position, as it says.
            groups: The names of the groups that it wants to hear.

        Returns:
            What is known of it.
        """
        mark = self.positions.parse(since)
        if mark is None:
            return Start(Kind.NOWHERE, why=_FOREIGN)
        if mark.offset > self.last:
            return self._unknown(mark, _AHEAD)
        if mark.offset < self._floor or (mark.offset == self._floor and self._at_floor is None):
            return self._unknown(mark, _TOO_OLD)
        # Places in a log of this process's are never of another one, and may be without an event.
        if self.positions.is_shared and not self._is_at(mark.offset, since):
            return Start(Kind.NOWHERE, why=_ANOTHER_LOG)
        if not self.covers(mark.offset, groups):
            return Start(Kind.NOWHERE, why=_NOT_COVERED)
        return Start(Kind.MEMORY, mark.offset, mark)

    def covers(self, after: int, groups: Collection[str]) -> bool:
        """Tell whether all that groups had behind an offset is here, or will be.

        Args:
            after: The offset; it may be ahead of `last`.
            groups: Their names.
        """
        if after < self._floor:
            return False
        covered = self._covered
        return covered is None or all(name in covered and covered[name] <= after for name in groups)

    def count(self, after: int, groups: Collection[str]) -> int:
        """Count the events of groups behind an offset that are here."""
        return self._log.count(after, groups)

    def read(self, after: int, groups: Collection[str], most_bytes: int) -> list[Event]:
        """Read what groups had; complete if it `covers` that. See `EventLog.read`."""
        return self._log.read(after, groups, most_bytes)

    # --- inside ---

    def _unknown(self, mark: Mark, why: str) -> Start:
        kind = Kind.ELSEWHERE if self.positions.is_shared else Kind.NOWHERE
        return Start(kind, mark.offset, mark, why)

    def _is_at(self, offset: int, position: str) -> bool:
        """Tell whether the event with an offset, which is not below the floor, has a position."""
        at_floor = self._at_floor
        if at_floor is not None and at_floor.offset == offset:
            event: Event | None = at_floor
        else:
            event = self._log.find(offset)
        return event is not None and self.positions.format(event) == position

    def _begin_at(self, first: int) -> None:
        """Begin with an event before which nothing is known: the first one, or of another log."""
        if not self.positions.is_shared:
            raise ValueError(f"the offset {first} does not follow {self.last}")
        self._forget(self._by_gap, 0, 0)
        self._floor, self._at_floor = first - 1, None

    def _advance(self) -> None:
        place = self.positions.advance(self.last)
        if place != self.last:
            self._last, self._position = Event("", b"", place), None

    def _expire(self, now: float) -> None:
        appended = self._log.appended
        expired = self._ages.expire(now, appended)
        self._forget(self._by_age, appended - expired, self._log.size)

    def _forget(self, cause: Counter, events: int, size: int) -> None:
        """Forget the oldest until so many events of so many bytes are left."""
        before = self._log.forgotten
        latest = self._log.shrink(events, size)
        if latest is not None:
            cause.value += self._log.forgotten - before
            self._floor, self._at_floor = latest.offset, latest
