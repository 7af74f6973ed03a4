"""What one client saw of one group, and what it was promised and told about it.

Nothing here does I/O or reads a clock. Times are seconds of one monotonic clock, shared by the
clients and the publishers (on Linux it is the same for all processes).
"""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

#: Attempts to publish one number; there may be one for each loss of the broker, which are few.
MAX_ATTEMPTS = 1000


def pack(n: int, attempt: int) -> int:
    """Make one integer of an event's number and the attempt to publish it, in their order.

    Args:
        n: The event's number in its group.
        attempt: The attempt to publish it, from 0.

    Raises:
        ValueError: There were more attempts than anybody makes.
    """
    if not 0 <= attempt < MAX_ATTEMPTS:
        raise ValueError(f"attempt {attempt} at number {n}")
    return n * MAX_ATTEMPTS + attempt


def show(key: int) -> str:
    """Write an event's number for people: ``17``, or ``17 (attempt 2)`` behind the first one."""
    n, attempt = divmod(key, MAX_ATTEMPTS)
    return f"{n} (attempt {attempt + 1})" if attempt else str(n)


class BreakKind(Enum):
    """What happens to a promise."""

    JOINED = "joined"
    """The server says that the subscription is in force."""
    LEFT = "left"
    """The client has left the group, or asks to join it: nothing is promised for now."""
    GAP = "gap"
    """The server says that events may be missing before this point; it promises anew."""


class Break(NamedTuple):
    """A point between two events of a track.

    Attributes:
        at: How many events are before it.
        kind: What happens there.
        time: When the client learned of it, in seconds.
        due_from: Events whose publication began after this are promised; infinity if none are.
    """

    at: int
    kind: BreakKind
    time: float
    due_from: float = math.inf


class Segment(NamedTuple):
    """Events between two breaks.

    Attributes:
        opening: The break before them; None at the start of the track.
        first: Index of the first event.
        end: Index behind the last one.
        closing: The break behind them; None at the end of the track.
    """

    opening: Break | None
    first: int
    end: int
    closing: Break | None

    @property
    def due_from(self) -> float:
        """Events whose publication began after this are promised; infinity if none are."""
        return math.inf if self.opening is None else self.opening.due_from

    @property
    def is_promised(self) -> bool:
        """Whether the client was told that it hears the group."""
        return math.isfinite(self.due_from)


@dataclass(slots=True)
class Track:
    """What one client saw of one group, in order.

    Attributes:
        keys: Each event, packed.
        times: When each arrived.
        breaks: Where a promise began, ended, or was taken back.
    """

    keys: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[float]" = field(default_factory=lambda: array("d"))
    breaks: list[Break] = field(default_factory=list)

    def saw(self, key: int, time: float) -> None:
        """Note an event.

        Args:
            key: Packed.
            time: When it arrived, in seconds.
        """
        self.keys.append(key)
        self.times.append(time)

    def mark(self, kind: BreakKind, time: float, due_from: float = math.inf) -> None:
        """Note a break behind the events so far.

        Args:
            kind: What happens.
            time: When, in seconds.
            due_from: From when on events are promised, in seconds.
        """
        self.breaks.append(Break(len(self.keys), kind, time, due_from))

    def segments(self) -> Iterator[Segment]:
        """Give what lies between the breaks, in order; empty ones as well."""
        opening: Break | None = None
        first = 0
        for closing in self.breaks:
            yield Segment(opening, first, closing.at, closing)
            opening, first = closing, closing.at
        yield Segment(opening, first, len(self.keys), None)


class Remark(NamedTuple):
    """A line of a client's log.

    Attributes:
        time: When, in seconds.
        text: What happened, for people.
    """

    time: float
    text: str


@dataclass(slots=True)
class ClientLog:
    """Everything that one client saw.

    Attributes:
        name: The client's.
        tracks: By group, also those it has left.
        remarks: Connections, replies, gaps, and ends, in order.
        faults: What no server of this protocol may do, in order.
        gaps: Gap frames.
        resumed: Subscriptions with ``since`` that were resumed.
        refused: Subscriptions with ``since`` that were not.
        replayed: Events that the replies announced as replayed.
        ends: How connections ended: close codes, or what the client saw, and how often.
    """

    name: str
    tracks: dict[str, Track] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    faults: list[Remark] = field(default_factory=list)
    gaps: int = 0
    resumed: int = 0
    refused: int = 0
    replayed: int = 0
    ends: dict[str, int] = field(default_factory=dict)

    def track(self, group: str) -> Track:
        """Give the track of a group, a new one if there was none."""
        track = self.tracks.get(group)
        if track is None:
            track = self.tracks[group] = Track()
        return track

    def remark(self, time: float, text: str) -> None:
        """Note something for the evidence."""
        self.remarks.append(Remark(time, text))

    def fault(self, time: float, text: str) -> None:
        """Note something that the protocol does not allow."""
        self.faults.append(Remark(time, text))
        self.remark(time, f"NOT ALLOWED: {text}")

    def ended(self, time: float, how: str) -> None:
        """Note the end of a connection.

        Args:
            time: When, in seconds.
            how: Such as ``1012``.
        """
        self.ends[how] = self.ends.get(how, 0) + 1
        self.remark(time, f"connection ended: {how}")
