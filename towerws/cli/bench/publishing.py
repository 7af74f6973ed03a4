"""The publishers of a load test: events at an even pace, from threads.

A publisher of `towerws.notify` blocks until an event is confirmed, as it does in a backend. It runs
beside the reactor, which meanwhile takes in what arrives.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from towerws.cli.bench.histogram import Histogram
from towerws.cli.bench.observations import count
from towerws.cli.bench.plan import Plan
from towerws.cli.bench.stamp import stamped
from towerws.cli.bench.tally import Tally
from towerws.notify import EmitError

_SECOND = 1_000_000_000

#: Publishing ends when it is so far behind its schedule at the schedule's end, in nanoseconds.
_GRACE = _SECOND

#: Publishing ends when nothing could be published for so long, in nanoseconds: long enough for a
#: broker that is restarted.
_PATIENCE = 30 * _SECOND


#: Publishes an event to a group, or raises `EmitError`.
Emit = Callable[[str, dict[str, object]], object]


class Publishing:
    """Publishes bursts of events to groups in turn, on schedule, in one thread for each publisher.

    The events of a group have one publisher, so that their order is known. Other threads may read
    the attributes meanwhile, and call `stop`.

    Attributes:
        numbers: How many numbers were given to events, for each group.
        unpublished: Those of the events that could not be published, for each group, ascending.
        published: How many events were published and confirmed.
        failures: Why others were not.
        confirm: How long publishing an event took, until its confirmation.
        behind: How late each burst began.
    """

    def __init__(
        self,
        emits: Sequence[Emit],
        groups: Sequence[str],
        plan: Plan,
        clock: Callable[[], int] = time.monotonic_ns,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Publish nothing yet.

        Args:
            emits: The publishers.
            groups: The names of the groups.
            plan: How much, how often and how long.
            clock: The time in nanoseconds.
            wait: Waits for so many seconds, or until `stop`; returns whether it was that.
        """
        self.numbers = [0] * len(groups)
        self.unpublished: list[list[int]] = [[] for _ in groups]
        self.published = 0
        self.failures: Counter[str] = Counter()
        self.confirm = Histogram()
        self.behind = Histogram()
        self._emits = emits
        self._groups = groups
        self._plan = plan
        self._clock = clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        #: Held by whoever counts what is not of one group.
        self._counting = threading.Lock()
        #: When the first of the latest failures in a row was; None after a success.
        self._failing: int | None = None

    def stop(self) -> None:
        """Let `run` return after the event that it is about."""
        self._stopping.set()

    def missing(self, group: int, tally: Tally) -> int:
        """Compare with what came somewhere.

        Args:
            group: The position of a group.
            tally: What came of it.

        Returns:
            How many of the group's published events have not come.
        """
        return tally.missing(self.numbers[group], self.unpublished[group])

    def run(self, publisher: int, began: int) -> None:
        """Publish until the plan is fulfilled, its time is over, or nothing can be published.

        Args:
            publisher: The position of the publisher; it is to have a thread of its own.
            began: The moment that the schedule begins with.
        """
        plan = self._plan
        spacing = _SECOND * plan.burst / plan.rate / len(self._groups)
        end = began + round(plan.duration * _SECOND)
        for number in range(plan.bursts):
            group = number % len(self._groups)
            if group % len(self._emits) != publisher:
                continue
            due = began + round(number * spacing)
            if self._stopped_until(due):
                return
            now = self._clock()
            if now > end + _GRACE or now - (self._failing or now) > _PATIENCE:
                return
            with self._counting:
                self.behind.add(now - due)
            for _ in range(plan.burst):
                self._publish(self._emits[publisher], group)
        # What is measured lasts as long as it was to last.
        self._stopped_until(end)

    def _stopped_until(self, moment: int) -> bool:
        return self._wait(max(0, moment - self._clock()) / _SECOND)

    def _publish(self, emit: Emit, group: int) -> None:
        number = self.numbers[group]
        # Before the event exists: whoever compares must not be ahead of what arrives.
        self.numbers[group] = number + 1
        moment = self._clock()
        try:
            emit(self._groups[group], stamped(number, moment, self._plan.size))
        except EmitError as error:
            self.unpublished[group].append(number)
            with self._counting:
                count(self.failures, str(error))
                self._failing = self._failing or moment
            return
        confirmed = self._clock()
        with self._counting:
            self._failing = None
            self.confirm.add(confirmed - moment)
            self.published += 1
