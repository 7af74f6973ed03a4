"""What a reading of the stream has found so far. Pure."""

from enum import Enum

from towerws.amqp.deliveries import Delivery
from towerws.amqp.stream_offset import Offsets, read_offset
from towerws.core import payload
from towerws.core.archive import Archived
from towerws.core.event import Event
from towerws.core.groups import is_group_name
from towerws.core.history import History
from towerws.core.positions import Mark, fingerprint
from towerws.feeds.marks import ROUTING_KEY as MARK

#: Memory that an event takes besides its payload, in bytes: a tuple, an integer, and the object
#: around the payload.
_EVENT_BYTES = 150


class Verdict(Enum):
    """What a reading came to."""

    FOUND = "found"
    """All that was asked for."""
    NOT_FOUND = "not_found"
    """Something else is at the mark's offset, or the next one that is kept."""
    TOO_MUCH = "too_much"
    """More than may be kept in memory for one client."""


class Excerpt:
    """The events of some groups behind a mark, up to where the history goes on.

    Attributes:
        mark: From where.
        is_proven: Whether the event at the mark was there.
        verdict: What it came to; None while there is more to read.
    """

    def __init__(
        self, mark: Mark, groups: frozenset[str], history: History, most_bytes: int
    ) -> None:
        """Begin with nothing.

        Args:
            mark: From where.
            groups: The names of the groups.
            history: Goes on.
            most_bytes: Memory that the events may take.
        """
        self.mark = mark
        self.is_proven = False
        self.verdict: Verdict | None = None
        self._groups = groups
        self._history = history
        self._most_bytes = most_bytes
        self._offsets = Offsets()
        self._events: list[Event] = []
        self._size = 0
        self._upto = mark.offset

    @property
    def archived(self) -> Archived | None:
        """The events, if all were found."""
        return Archived(self._events, self._upto) if self.verdict is Verdict.FOUND else None

    def take(self, deliveries: list[Delivery]) -> None:
        """Take what was read, beginning with the message at the mark.

        Args:
            deliveries: Messages of the stream, in order, at least one.

        Raises:
            ProtocolViolation: Their offsets do not rise.
            DecodeError: They have none.
        """
        if self.verdict is not None:
            return
        if not self.is_proven:
            self.is_proven = _is_at(self.mark, deliveries[0])
            if not self.is_proven:
                self.verdict = Verdict.NOT_FOUND
                return
            self._offsets.last = self.mark.offset
            deliveries = deliveries[1:]
        for each in deliveries:
            if each.routing_key in self._groups and _is_event(each):
                self._add(each)
        # Not beyond the last that has a position: the history never comes to what lies behind it,
        # if it is the end of the stream.
        last = next((each for each in reversed(deliveries) if _has_position(each)), None)
        if last is not None:
            self._upto = read_offset(last)
        self._judge()

    def _add(self, delivery: Delivery) -> None:
        body = delivery.body or b""
        self._events.append(Event(delivery.routing_key, body, self._offsets.read(delivery)))
        self._size += len(body) + _EVENT_BYTES

    def _judge(self) -> None:
        history = self._history
        if self._size > self._most_bytes:
            self._events.clear()
            self.verdict = Verdict.TOO_MUCH
        # One that has nothing yet does not know either where it will begin.
        elif history.last >= 0 and history.covers(self._upto, self._groups):
            self.verdict = Verdict.FOUND


def _is_at(mark: Mark, delivery: Delivery) -> bool:
    group, body = delivery.routing_key, delivery.body
    # Only what has such a name was ever given a position.
    if body is None or not group.isascii() or read_offset(delivery) != mark.offset:
        return False
    return fingerprint(Event(group, body)) == mark.fingerprint


def _has_position(delivery: Delivery) -> bool:
    key = delivery.routing_key
    return key == MARK or (is_group_name(key) and _is_event(delivery))


def _is_event(delivery: Delivery) -> bool:
    """Tell whether clients could take it: what `towerws.intake` has dropped is not replayed."""
    if delivery.body is None:
        return False
    try:
        payload.check(delivery.body)
    except payload.PayloadError:
        return False
    return True
