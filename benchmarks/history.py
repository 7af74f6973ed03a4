"""CPU that keeping history costs, for each event, and reading a group out of it.

Run as ``python -m benchmarks.history``, or ``make bench-history``; it takes some 10 seconds and one
core. An event that is kept is compared with `payload.check` of the same event, which every event
that comes from outside goes through, measured in the same round. The log is full, so that for each
event that comes one is forgotten. What a group had is read in pages, as a replay does, out of a
small and out of a large log.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from benchmarks.measure import SERVER_CORE, on_core, runs
from towerws.core import payload
from towerws.core.event import Event
from towerws.core.history import Bounds, History
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions
from towerws.core.resuming import PAGE

ROUNDS = 7
#: Events in the log that is measured, and in each round.
KEPT = 20_000
PER_ROUND = 20_000
SIZE = 256

_GROUPS = (1, 100, 10_000)
_BATCHES = (1, 8, 64)
_LOGS = (10_000, 100_000)
_READ = (100, 1_000, 5_000)

_T = TypeVar("_T")
_GROUP = itemgetter(0)
_Runs = list[tuple[str, list[Event]]]


def make_history(events: int) -> History:
    """Make a history that only the number of events bounds.

    Args:
        events: How many.
    """
    bounds = Bounds(bytes=1 << 40, events=events, seconds=1e9)
    return History(LocalPositions("0123456789abcdef"), bounds, Metrics(), time.monotonic)


def events_of(names: Iterable[str], first: int) -> Iterator[Event]:
    """Make an event for each name, with a payload that is like no other.

    Args:
        names: Of groups.
        first: The offset of the first one.
    """
    for offset, name in enumerate(names, first):
        head = b'{"job": %d, "stdout": "' % offset
        yield Event(name, head + b"x" * (SIZE - len(head) - 2) + b'"}', offset)


def batches(events: list[Event], size: int) -> list[_Runs]:
    """Put events together as the hub does those that came together.

    Args:
        events: In order.
        size: How many come together.
    """
    return [
        [(name, list(run)) for name, run in groupby(events[at : at + size], _GROUP)]
        for at in range(0, len(events), size)
    ]


def microseconds(call: Callable[[_T], object], each: Iterable[_T]) -> float:
    """Measure the CPU that calls take.

    Args:
        call: What is called.
        each: With what, one after the other.
    """
    began = time.process_time_ns()
    for value in each:
        call(value)
    return (time.process_time_ns() - began) / 1000


def keeping(groups: int, batch: int) -> tuple[list[float], list[float]]:
    """Measure what it costs to keep an event.

    Args:
        groups: Over which the events are spread, one after the other.
        batch: How many come together.

    Returns:
        Microseconds for each event, and how many times as much that is as to check its payload;
        both of each round.
    """
    history = make_history(KEPT)
    kept, ratios = [], []
    offset = 1
    for number in range(ROUNDS + 1):
        names = (f"job_events-{at % groups}" for at in range(PER_ROUND))
        events = list(events_of(names, offset))
        offset += len(events)
        payloads = [event.payload for event in events]
        together = batches(events, batch)
        del events
        check = microseconds(payload.check, payloads)
        append = microseconds(history.append, together)
        # The first one fills it.
        if number:
            kept.append(append / PER_ROUND)
            ratios.append(append / check)
    return kept, ratios


def reading(log: int, own: int) -> list[float]:
    """Measure what it takes to read all that a group had.

    Args:
        log: Events in the log.
        own: Those of the group, spread evenly; the others are of a hundred groups.

    Returns:
        Microseconds, of each round.
    """
    every = log // own
    names = ("own" if not at % every else f"job_events-{at % 97}" for at in range(log))
    history = make_history(log)
    history.append(batches(list(events_of(names, 1)), log)[0])
    assert history.count(0, ("own",)) == own

    def read(cursor: int) -> None:
        while page := history.read(cursor, ("own",), PAGE):
            cursor = page[-1].offset

    return [microseconds(read, (0,)) for _ in range(ROUNDS)]


def main() -> None:
    """Measure, and print the tables."""
    with on_core(SERVER_CORE):
        print(f"To keep an event of {SIZE} bytes, and times payload.check of it:")
        for groups in _GROUPS:
            for batch in _BATCHES:
                kept, ratios = keeping(groups, batch)
                print(f"  {groups:6} groups, {batch:2} at once {runs(kept, 'us')}")
                print(f"  {'':25} {runs(ratios, '')}")
        print("To read all that a group had, by the events of the group and of the log:")
        for own in _READ:
            for log in _LOGS:
                print(f"  {own:5} of {log:6} {runs(reading(log, own), 'us')}")


if __name__ == "__main__":
    main()
