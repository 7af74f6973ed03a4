"""Positions: what a client is given with an event, to say later from where it wants to go on.

A position is a text without spaces. Clients only hand it back; what it consists of is known here.
"""

import re
from hashlib import blake2b
from typing import NamedTuple, Protocol

from towerws.core.event import Event

#: An offset as it is written; a stream's is a signed integer of 64 bits, 19 digits at most. Exactly
#: one text for each, and `int` takes no longer for any of them.
_OFFSET = r"(0|[1-9][0-9]{0,18})"

_OF_STREAM = re.compile(_OFFSET + r"-([0-9a-f]{16})")


class Mark(NamedTuple):
    """A position, read.

    Attributes:
        offset: Of the event that the client got last.
        fingerprint: That event's, by which another log is noticed; empty where none is needed.
    """

    offset: int
    fingerprint: str


class Positions(Protocol):
    """Turns events into positions, and reads those."""

    @property
    def origin(self) -> str:
        """The position before any event."""

    @property
    def is_shared(self) -> bool:
        """Whether other servers, and what keeps events longer than they do, know them too."""

    def format(self, event: Event) -> str:
        """Give the position of whoever has got an event and all before it."""

    def parse(self, text: str) -> Mark | None:
        """Read a position.

        Args:
            text: What a client sent.

        Returns:
            None if it is nothing that `format` gave, here or wherever the same positions hold. A
            mark is not proven by that: anybody can write one.
        """

    def advance(self, offset: int) -> int:
        """Give a place behind everything so far, where there is no event.

        A client that is there has been told something that others, who have got the same events,
        have not: that there was a gap.

        Args:
            offset: Of the last event, or the place that was given last.

        Returns:
            The place; the same offset where places cannot be made up.
        """


class LocalPositions:
    """Positions in what one process has published: they mean nothing to any other.

    Written as the process and the offset.
    """

    origin: str
    is_shared = False

    def __init__(self, process: str) -> None:
        """Begin to count.

        Args:
            process: 16 hexadecimal digits that no other process has, nor this one after a restart.
        """
        self._last = 0
        self._prefix = f"{process}-"
        self.origin = f"{process}-0"
        self._pattern = re.compile(re.escape(self._prefix) + _OFFSET)

    def next(self) -> int:
        """Give the offset of the next event: 1 at first, then rising.

        Places that `advance` gives are numbered in the same row, so this is the only source of
        offsets wherever there are gaps.
        """
        self._last += 1
        return self._last

    def format(self, event: Event) -> str:
        """See `Positions`."""
        return f"{self._prefix}{event.offset}"

    def parse(self, text: str) -> Mark | None:
        """See `Positions`."""
        read = self._pattern.fullmatch(text)
        return read and Mark(int(read[1]), "")

    def advance(self, offset: int) -> int:
        """See `Positions`."""
        self._last = max(self._last, offset) + 1
        return self._last


class StreamPositions:
    """Positions in a stream of the broker's, the same for every server that reads it.

    Written as the offset and the fingerprint of the event there. Offsets alone would be taken for
    those of another stream, after somebody has deleted this one and it was declared anew.
    """

    #: It never resumes: nothing proves which stream it is of.
    origin = "-"
    is_shared = True

    def format(self, event: Event) -> str:
        """See `Positions`."""
        return f"{event.offset}-{fingerprint(event)}"

    def parse(self, text: str) -> Mark | None:
        """See `Positions`."""
        read = _OF_STREAM.fullmatch(text)
        return read and Mark(int(read[1]), read[2])

    def advance(self, offset: int) -> int:
        """See `Positions`; a place without an event could not be proven."""
        return offset


def fingerprint(event: Event) -> str:
    """Tell events at the same offset of different streams apart.

    Args:
        event: Its offset plays no part.

    Returns:
        16 hexadecimal digits.
    """
    # No group has a zero byte in its name.
    text = b"%b\0%b" % (event.group.encode(), event.payload)
    return blake2b(text, digest_size=8).hexdigest()
