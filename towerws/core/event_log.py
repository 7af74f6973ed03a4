"""Events in memory, in order, indexed by group.

What a group had is found without looking at what others had. Events are kept in columns rather than
as the objects that came: those take more memory, and the garbage collector looks at each of them
whenever it looks at all.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from itertools import repeat

from towerws.core.event import Event

#: Memory that an event takes besides its payload, in bytes, and a group that has any besides its
#: events. Measured with CPython 3.11: tests/core/test_event_log.py compares them with tracemalloc.
EVENT_BYTES = 128
GROUP_BYTES = 384


class _Group:
    """The events of one group: those from `head` on; what is before it has been dropped."""

    __slots__ = ("head", "name", "offsets", "payloads")

    def __init__(self, name: str) -> None:
        self.name = name
        self.head = 0
        self.offsets: list[int] = []
        self.payloads: list[bytes] = []

    def drop(self) -> bool:
        """Forget the first event; tell whether it was the only one."""
        # The payload is free at once; its place in the list later, together with others.
        self.payloads[self.head] = b""
        self.head += 1
        if self.head * 4 > len(self.offsets):
            del self.offsets[: self.head], self.payloads[: self.head]
            self.head = 0
        return not self.offsets

    def after(self, offset: int) -> int:
        """Give the index of the first event behind an offset."""
        return bisect_right(self.offsets, offset, self.head)

    def tail(self, offset: int) -> Iterator[tuple[int, str, bytes]]:
        """Give the events behind an offset, copying nothing that is not asked for."""
        rest = range(self.after(offset), len(self.offsets))
        return zip(
            map(self.offsets.__getitem__, rest),
            repeat(self.name),
            map(self.payloads.__getitem__, rest),
            # There is no end of names.
            strict=False,
        )


class EventLog:
    """A row of events that grows at its end and is dropped from its beginning.

    Attributes:
        events: How many there are.
        size: The memory that they take, in bytes, estimated.
        forgotten: How many were forgotten.
    """

    __slots__ = ("_groups", "_head", "_offsets", "_owners", "events", "forgotten", "size")

    def __init__(self) -> None:
        self.events = self.size = self.forgotten = 0
        self._groups: dict[str, _Group] = {}
        # Of all events, in order; the first ones up to `_head` have been dropped.
        self._offsets: list[int] = []
        self._owners: list[_Group] = []
        self._head = 0

    @property
    def appended(self) -> int:
        """How many events there ever were."""
        return self.events + self.forgotten

    def append(self, runs: Sequence[tuple[str, Sequence[Event]]]) -> None:
        """Add events.

        Args:
            runs: Names of groups and their events, by rising offsets.
        """
        size = added = 0
        add_offset, add_owner = self._offsets.append, self._owners.append
        for name, events in runs:
            owner = self._groups.get(name)
            if owner is None:
                owner = self._groups[name] = _Group(name)
                size += GROUP_BYTES
            offsets, payloads = owner.offsets, owner.payloads
            for _, payload, offset in events:
                offsets.append(offset)
                payloads.append(payload)
                add_offset(offset)
                add_owner(owner)
                size += len(payload)
            added += len(events)
        self.size += size + added * EVENT_BYTES
        self.events += added

    def shrink(self, events: int, size: int) -> Event | None:
        """Forget the oldest events until what stays is no more than wanted.

        Args:
            events: How many may stay.
            size: How much memory they may take, in bytes.

        Returns:
            The last one that was forgotten; None if nothing was.
        """
        offsets, owners = self._offsets, self._owners
        begin = at = self._head
        end, excess = len(offsets) - events, self.size - size
        payload = b""
        while at < end or (excess > 0 and at < len(offsets)):
            owner = owners[at]
            payload = owner.payloads[owner.head]
            excess -= len(payload) + EVENT_BYTES
            if owner.drop():
                del self._groups[owner.name]
                excess -= GROUP_BYTES
            at += 1
        if at == begin:
            return None
        latest = Event(owners[at - 1].name, payload, offsets[at - 1])
        self.size = size + excess
        self.events -= at - begin
        self.forgotten += at - begin
        self._head = at
        if at * 4 > len(offsets):
            del offsets[:at], owners[:at]
            self._head = 0
        return latest

    def find(self, offset: int) -> Event | None:
        """Look for the event with an offset, of whatever group."""
        at = bisect_left(self._offsets, offset, self._head)
        if at == len(self._offsets) or self._offsets[at] != offset:
            return None
        owner = self._owners[at]
        return Event(owner.name, owner.payloads[owner.after(offset - 1)], offset)

    def count(self, after: int, groups: Collection[str]) -> int:
        """Count the events of groups behind an offset."""
        return sum(len(owner.offsets) - owner.after(after) for owner in self._owners_of(groups))

    def read(self, after: int, groups: Collection[str], most_bytes: int) -> list[Event]:
        """Read what groups had.

        Args:
            after: The offset behind which to begin.
            groups: Their names, each once.
            most_bytes: How many bytes they may have together: payloads, and `EVENT_BYTES` for each.

        Returns:
            The first events, in order. One larger than allowed comes alone; none if there is none.
        """
        events: list[Event] = []
        # Offsets differ, so no further column is ever compared.
        for offset, name, payload in merge(*(own.tail(after) for own in self._owners_of(groups))):
            most_bytes -= len(payload) + EVENT_BYTES
            if most_bytes < 0 and events:
                break
            events.append(Event(name, payload, offset))
        return events

    def _owners_of(self, groups: Collection[str]) -> Iterator[_Group]:
        for name in groups:
            owner = self._groups.get(name)
            if owner is not None:
                yield owner
