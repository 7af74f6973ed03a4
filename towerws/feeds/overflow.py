"""Events while the broker drops some: held back for a moment, so that the gap stands before them.

A dead letter tells that events were dropped, before those that come behind them; how many more will
be, nobody knows. So what comes from then on waits until no dead letter has come for a while. Then
the gap is told, once for all of them, and what waited is handed on behind it.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from towerws.core.event import Event
from towerws.core.event_log import EVENT_BYTES
from towerws.core.hub import Hub

#: Seconds without a dead letter after which the broker drops no more: twice as long as
#: acknowledgements take, for each of which it sends one.
QUIET = 0.1

#: Seconds for which events wait at most. A server that stays too slow tells a gap so often.
LONGEST = 1.0

#: Bytes of events that wait at most, counted as in the history.
MOST_BYTES = 1 << 24

_WHY = "the server was too slow for the broker, which dropped events"


class Overflow:
    """What stands between a queue that may overflow, and the hub."""

    def __init__(self, hub: Hub, clock: IReactorTime, next_offset: Callable[[], int]) -> None:
        """Hold nothing back.

        Args:
            hub: Takes the events, and the gap.
            clock: Bounds the waiting.
            next_offset: Numbers events.
        """
        self._hub = hub
        self._clock = clock
        self._next_offset = next_offset
        self._waiting: list[Event] = []
        self._size = 0
        self._ends_by = 0.0
        self._call: IDelayedCall | None = None

    def noticed(self) -> None:
        """Take note of a dead letter: hold back what comes behind it."""
        now = self._clock.seconds()
        if self._call is None:
            self._ends_by = now + LONGEST
        else:
            self._call.cancel()
        self._call = self._clock.callLater(min(QUIET, self._ends_by - now), self._end)

    def hand_on(self, events: list[Event]) -> None:
        """Publish events, or hold them back.

        Args:
            events: In their order.
        """
        if self._call is None:
            self._hub.publish(events)
            return
        self._waiting += events
        self._size += sum(len(event.payload) + EVENT_BYTES for event in events)
        if self._size > MOST_BYTES:
            self.end()

    def end(self) -> None:
        """Wait no more: tell the gap, if there is one to be told, and hand on what waited."""
        if self._call is not None:
            self._call.cancel()
            self._end()

    def _end(self) -> None:
        self._call = None
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._hub.gap(_WHY)
        # Their numbers are from before the gap, which has one as well.
        self._hub.publish([event._replace(offset=self._next_offset()) for event in waiting])
