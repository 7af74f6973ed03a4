"""Compares what clients saw with what the broker had: the judge of `make chaos`.

Pure: nothing here does I/O or reads a clock, so that tests can prove that it finds what it is for.
The rules, for each client and group, between the breaks of its track (`tests.chaos.track`):

- *lost*: the broker had it, it was promised, it did not come, and no gap was told in its place;
- *doubled*: it came twice; *reordered*: it came behind a later one;
- *unknown*: nobody published it.

A gap covers what is missing where it was told: between the last event before and the first behind.
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from tests.chaos.track import BreakKind, Segment, Track


class Entry(NamedTuple):
    """An event as the broker had it.

    Attributes:
        key: Its number and attempt, packed.
        began: When its publication began, in seconds.
        is_due: Whether the broker took it for certain. An attempt that was never confirmed may have
            got through, or not.
    """

    key: int
    began: float
    is_due: bool = True


class Kind(Enum):
    """What can be wrong with a sequence."""

    LOST = "lost"
    DOUBLED = "doubled"
    REORDERED = "out of order"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    """Something wrong with what one client saw of one group.

    Attributes:
        group: The group.
        kind: What.
        keys: The events, packed: those lost, or the one that was wrong.
        before: The event before, as the client saw it; None if there was none.
        after: The event behind; None if there was none.
        since: When the client saw the one before, or was promised the group, in seconds.
        until: When it saw the one behind; None if the log ends.
    """

    group: str
    kind: Kind
    keys: tuple[int, ...]
    before: int | None
    after: int | None
    since: float
    until: float | None


@dataclass(slots=True)
class Result:
    """What became of a track, or of many.

    Attributes:
        deliveries: Events that came.
        told: Events that did not come, covered by a gap.
        told_late: The same, by a gap soon behind its place; see `excuse_late`.
        findings: What is wrong.
    """

    deliveries: int = 0
    told: int = 0
    told_late: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        """Add what became of another track, or of many."""
        self.deliveries += other.deliveries
        self.told += other.told
        self.told_late += other.told_late
        self.findings += other.findings

    def count(self, kind: Kind) -> int:
        """Count the events that are wrong in one way."""
        return sum(len(each.keys) for each in self.findings if each.kind is kind)


class Published:
    """The events of one group, as the broker had them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Index them.

        Args:
            entries: In the order of publication. One may be there twice, if the broker doubled it.
        """
        self.entries = tuple(entries)
        self._index: dict[int, int] = {}
        for index, entry in enumerate(self.entries):
            self._index.setdefault(entry.key, index)
        self._began = list(itertools.accumulate((each.began for each in self.entries), max))

    def place(self, key: int, following: int) -> int | None:
        """Find an event.

        Args:
            key: Packed.
            following: The place behind the one that was seen before.

        Returns:
            That place if it is there, its first one otherwise; None if it is nowhere.
        """
        if following < len(self.entries) and self.entries[following].key == key:
            return following
        return self._index.get(key)

    def first_after(self, time: float) -> int:
        """Give the index of the first event whose publication began after a time."""
        return bisect_right(self._began, time)

    def due(self, start: int, end: int) -> Iterator[int]:
        """Give the indices, from ``start`` on and before ``end``, of what was taken for certain."""
        return (index for index in range(start, end) if self.entries[index].is_due)

    def keys(self, indices: Iterable[int]) -> tuple[int, ...]:
        """Give the keys of some places."""
        return tuple(self.entries[index].key for index in indices)


class _Walk:
    """The comparison of one segment, event by event.

    Attributes:
        missing: Places that are due and did not come so far, each with the index in the track of
            the event that came instead.
        wrong: What else is wrong, with the index in the track.
    """

    def __init__(self, group: Published, segment: Segment) -> None:
        self._group = group
        self._segment = segment
        self.missing: dict[int, int] = {}
        self.wrong: list[tuple[Kind, int]] = []
        self._came: set[int] = set()
        # Where the promise begins; then the place of the first event, and behind the last.
        self.begins = self.reached = group.first_after(segment.due_from)

    def take(self, key: int, at: int) -> None:
        """Compare the next event.

        Args:
            key: Packed.
            at: Its index in the track.
        """
        place = self._group.place(key, self.reached)
        if place is None:
            self.wrong.append((Kind.UNKNOWN, at))
        elif place in self._came:
            self.wrong.append((Kind.DOUBLED, at))
        elif self._came and place < self.reached:
            self.missing.pop(place, None)
            self.wrong.append((Kind.REORDERED, at))
        else:
            self.expect(place, at)
            self.begins = self.begins if self._came else place
            self.reached = place + 1
        if place is not None:
            self._came.add(place)

    def expect(self, place: int, at: int) -> None:
        """Note what is missing, since all that is promised should have come by now.

        Args:
            place: Everything before this.
            at: Index in the track of what came instead.
        """
        if self._segment.is_promised:
            self.missing |= dict.fromkeys(self._group.due(self.reached, place), at)


def check_track(entries: Iterable[Entry] | Published, track: Track, name: str = "") -> Result:
    """Judge what one client saw of one group.

    Args:
        entries: What the broker had, in the order of publication.
        track: What the client saw. At its end everything that was promised has to be there.
        name: The group's.

    Returns:
        What became of it.
    """
    group = entries if isinstance(entries, Published) else Published(entries)
    result = Result(deliveries=len(track.keys))
    before: _Walk | None = None
    for segment in track.segments():
        walk = _Walk(group, segment)
        for at in range(segment.first, segment.end):
            walk.take(track.keys[at], at)
        if segment.closing is None:
            walk.expect(len(group.entries), segment.end)
        opened_by_gap = segment.opening is not None and segment.opening.kind is BreakKind.GAP
        if before is not None and opened_by_gap:
            result.told += sum(1 for _ in group.due(before.reached, walk.begins))
        result.findings += [
            each._replace(group=name) for each in _findings(group, track, segment, walk)
        ]
        before = walk if segment.is_promised else None
    return result


def check(
    published: Mapping[str, Iterable[Entry] | Published], tracks: Mapping[str, Track]
) -> Result:
    """Judge what one client saw of all its groups.

    Args:
        published: What the broker had, by group.
        tracks: What the client saw, by group.
    """
    total = Result()
    for name, track in tracks.items():
        total.add(check_track(published.get(name, ()), track, name))
    return total


def excuse_late(result: Result, tracks: Mapping[str, Track], within: float) -> None:
    """Excuse losses that the client was told of soon behind their place.

    A server with a classic queue cannot know better: that events were dropped it learns by way of a
    second queue, and what came behind them may be faster.

    Args:
        result: Of `check`; its findings that are excused are only counted then.
        tracks: What the client saw, by group.
        within: Seconds, from the event behind the lost ones to the gap.
    """
    remaining = []
    for each in result.findings:
        gaps = [gap.time for gap in tracks[each.group].breaks if gap.kind is BreakKind.GAP]
        until = each.until
        if (
            each.kind is Kind.LOST
            and until is not None
            and any(until <= time <= until + within for time in gaps)
        ):
            result.told_late += len(each.keys)
        else:
            remaining.append(each)
    result.findings[:] = remaining


def _findings(group: Published, track: Track, segment: Segment, walk: _Walk) -> Iterator[Finding]:
    """Put into words what is wrong with a segment."""
    for at, places in itertools.groupby(sorted(walk.missing), walk.missing.__getitem__):
        yield _finding(Kind.LOST, group.keys(places), track, segment, at)
    for kind, at in walk.wrong:
        yield _finding(kind, (track.keys[at],), track, segment, at)


def _finding(kind: Kind, keys: tuple[int, ...], track: Track, segment: Segment, at: int) -> Finding:
    has_before = at > segment.first
    came = at < segment.end
    after = at if kind is Kind.LOST else at + 1
    opened = 0.0 if segment.opening is None else segment.opening.time
    return Finding(
        "",
        kind,
        keys,
        before=track.keys[at - 1] if has_before else None,
        after=track.keys[after] if after < segment.end else None,
        since=track.times[at - 1] if has_before else opened,
        until=track.times[at] if came else None,
    )
