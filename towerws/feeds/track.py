"""Where a node is in the stream, and what becomes of the messages that it reads there. Pure."""

from itertools import groupby
from operator import itemgetter

from towerws.amqp.deliveries import Delivery
from towerws.amqp.stream_offset import Offsets, read_offset
from towerws.core.event import Event
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.revocation import ROUTING_KEY as REVOKE
from towerws.core.throttle import Throttle
from towerws.feeds.marks import ROUTING_KEY as MARK
from towerws.intake import Intake
from towerws.revocations import Revocations

_FORGOTTEN = "the broker does not keep any more what the server had still to read"
_ANOTHER = "the broker's stream is not the one that the server has read before"

#: The group of an event.
_GROUP = itemgetter(0)


class Track:
    """What a node has read, from its start to its end, over all of its connections.

    What comes before the node's first mark is kept in the history only: clients of this node were
    promised nothing before, may have had it from another one, and revocations among it are of a
    time when none of them was there. What comes behind it is delivered.

    The first message of each connection but the first must be the one that was read last. If it is
    not, there is a gap. Its position is that of the first event that follows it, the first that a
    client can go on from; it is told before that event is delivered.

    Attributes:
        taken: How often messages came.
        is_unproven: Whether the message that was read last is to come once more, and has not yet.
    """

    def __init__(
        self, hub: Hub, revocations: Revocations, metrics: Metrics, throttle: Throttle
    ) -> None:
        """Begin with nothing read.

        Args:
            hub: Takes the events. Its history is of all groups, with `StreamPositions`.
            revocations: Takes those.
            metrics: Where things are counted.
            throttle: Limits how often something dropped is logged.
        """
        self._hub = hub
        self._offsets = Offsets()
        self._intake = Intake(self._offsets.read, revocations, metrics, throttle)
        self._is_warm = False
        self._last: Delivery | None = None
        self._gap: str | None = None
        self._mark: bytes | None = None
        self.taken = 0
        self.is_unproven = False
        self._continued = metrics.counter(
            "towerws_stream_continued_total",
            "Interruptions after which the node went on in the stream without a gap.",
        )

    @property
    def last(self) -> int:
        """The offset of the last message; -1 before any."""
        return -1 if self._last is None else read_offset(self._last)

    @property
    def has_caught_up(self) -> bool:
        """Whether the mark of this connection was read."""
        return self._mark is None

    def begin(self, mark: bytes, warm_up: str) -> int | str:
        """Begin with a connection.

        Args:
            mark: What this node is about to publish.
            warm_up: From where to read when the node starts, as RabbitMQ's ``x-stream-offset``.

        Returns:
            From where to read.
        """
        self._mark = mark
        self._offsets.last = -1
        self.is_unproven = self._last is not None
        if self._last is not None:
            return read_offset(self._last)
        return "next" if self._is_warm else warm_up

    def give_up(self) -> None:
        """Take note that the message that was read last does not come: begin anew, with a gap."""
        self._last = None
        self._gap = _ANOTHER

    def take(self, deliveries: list[Delivery]) -> None:
        """Take what was read.

        Args:
            deliveries: Messages of the stream, in order, at least one.

        Raises:
            ProtocolViolation: Their offsets do not rise.
            DecodeError: They have none.
        """
        fresh = self._after_proof(deliveries) if self.is_unproven else deliveries
        if not self._is_warm:
            fresh = self._warm_up(fresh)
        if fresh:
            self._publish(self._read(fresh))
        self._last = deliveries[-1]
        self.taken += 1

    def _after_proof(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Look at the first message of a connection, and give those that were not read before."""
        assert self._last is not None
        self.is_unproven = False
        first, last = deliveries[0], self._last
        offset, expected = read_offset(first), read_offset(last)
        if offset > expected:
            self._gap = _FORGOTTEN
        elif offset < expected or (first.routing_key, first.body) != (last.routing_key, last.body):
            self._gap = _ANOTHER
        else:
            self._offsets.last = offset
            self._continued.add()
            return deliveries[1:]
        return deliveries

    def _warm_up(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Keep what is before the node's first mark, and give what is behind it."""
        own = (place for place, each in enumerate(deliveries, 1) if each.body == self._mark)
        end = next(own, None)
        events = self._read([each for each in deliveries[:end] if each.routing_key != REVOKE])
        self._hub.history.append([(group, list(run)) for group, run in groupby(events, _GROUP)])
        if events and self._gap is not None:
            why, self._gap = self._gap, None
            self._hub.gap(why)
        self._is_warm = end is not None
        return [] if end is None else deliveries[end:]

    def _read(self, deliveries: list[Delivery]) -> list[Event]:
        """Choose the events and marks, and take note of the node's own mark."""
        events: list[Event] = []
        begin = 0
        for place, each in enumerate(deliveries):
            if each.routing_key == MARK:
                events += self._intake.events(deliveries[begin:place])
                events.append(Event(MARK, each.body or b"", self._offsets.read(each)))
                begin = place + 1
                if each.body == self._mark:
                    self._mark = None
        return events + self._intake.events(deliveries[begin:])

    def _publish(self, events: list[Event]) -> None:
        if events and self._gap is not None:
            # Nobody may get an event, and with it its position, before the news of the gap.
            why, self._gap = self._gap, None
            first, *events = events
            self._hub.gap(why, first)
        self._hub.publish(events)
