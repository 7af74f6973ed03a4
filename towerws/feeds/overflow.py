"""Events while the broker drops some: held back for a moment, so that the gap stands before them.

A dead letter tells that events were dropped, before those that come behind them; how many more will
be, nobody knows. So what comes from then on waits until no dead letter has come for a while. Then
the gap is told, once for all of them, and what waited is handed on behind it.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from towerws.amqp.errors import AMQPError
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

    def __init__(
        self,
        hub: Hub,
        clock: IReactorTime,
        next_offset: Callable[[], int],
        round_trip: Callable[[], Deferred[object]],
    ) -> None:
        """Hold nothing back.

        Args:
            hub: Takes the events, and the gap.
            clock: Bounds the waiting.
            next_offset: Numbers events.
            round_trip: Asks the broker something, and fires when everything that it has sent
                before the answer has been handled; fails with an `AMQPError`, and `end` is called,
                if the connection is lost.
        """
        self._hub = hub
        self._clock = clock
        self._next_offset = next_offset
        self._round_trip = round_trip
        self._waiting: list[Event] = []
        self._size = 0
        self._holds = False
        self._ends_by = 0.0
        self._notices = 0
        self._call: IDelayedCall | None = None

    def noticed(self) -> None:
        """Take note of a dead letter: hold back what comes behind it."""
        now = self._clock.seconds()
        if not self._holds:
            self._holds, self._ends_by = True, now + LONGEST
        self._notices += 1
        self._cancel()
        delay = min(QUIET, max(0.0, self._ends_by - now))
        self._call = self._clock.callLater(delay, self._ask)

    def hand_on(self, events: list[Event]) -> None:
        """Publish events, or hold them back.

        Args:
            events: In their order.
        """
        if not self._holds:
            self._hub.publish(events)
            return
        self._waiting += events
        self._size += sum(len(event.payload) + EVENT_BYTES for event in events)
        if self._size > MOST_BYTES:
            self.end()

    def end(self) -> None:
        """Wait no more: tell the gap, if there is one to be told, and hand on what waited."""
        if not self._holds:
            return
        self._cancel()
        self._holds = False
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._hub.gap(_WHY)
        # Their numbers are from before the gap, which has one as well.
        self._hub.publish([event._replace(offset=self._next_offset()) for event in waiting])

    def _ask(self) -> None:
        # When we are busy a dead letter may have come long ago, and not have been read yet.
        self._call = None
        asked = self._round_trip()
        asked.addCallback(self._answered, self._notices)
        asked.addErrback(lambda failure: failure.trap(AMQPError))

    def _answered(self, _: object, notices: int) -> None:
        if notices == self._notices or self._clock.seconds() >= self._ends_by:
            self.end()

    def _cancel(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
