"""`towerws.websocket.turns`: a bounded number of events in a turn, and work in slices."""

import gc
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.websocket.turns import EVENTS, FULL_COLLECTION, SLICE, Slices, shorten_turns


class _Readable:
    """A descriptor that always has something to read."""

    def __init__(self, reads: list[int]) -> None:
        self._descriptor = os.eventfd(1)
        self._reads = reads

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:  # noqa: N802  # Twisted's name
        return "readable"

    def doRead(self) -> None:  # noqa: N802  # Twisted's name
        self._reads.append(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class ReactorTests(SynchronousTestCase):
    """What a reactor handles in one turn; with Twisted's reactors themselves."""

    def setUp(self) -> None:
        """Put back what is changed for the whole process."""
        self.addCleanup(gc.set_threshold, *gc.get_threshold())

    def _reads(self, reactor: Any, count: int, turns: int) -> list[list[int]]:
        reads: list[int] = []
        readables = [_Readable(reads) for _ in range(count)]
        by_turn = []
        for each in readables:
            self.addCleanup(each.close)
            reactor.addReader(each)
        for _ in range(turns):
            reactor.doIteration(0)
            by_turn.append(reads.copy())
            reads.clear()
        for each in readables:
            reactor.removeReader(each)
        for waker in tuple(reactor._internalReaders):
            reactor.removeReader(waker)
            waker.connectionLost(None)
        return by_turn

    def test_epoll(self) -> None:
        """So many in each turn, and all in turn although the first ones are ready again."""
        reactor = EPollReactor()
        shorten_turns(reactor)
        shorten_turns(reactor)
        turns = self._reads(reactor, 3 * EVENTS, 3)
        reactor._poller.close()
        self.assertEqual([len(turn) for turn in turns], [EVENTS] * 3)
        self.assertEqual(len(set().union(*turns)), 3 * EVENTS)

    def test_few(self) -> None:
        """Few are handled at once."""
        reactor = EPollReactor()
        shorten_turns(reactor)
        self.assertEqual([len(turn) for turn in self._reads(reactor, 5, 2)], [5, 5])
        reactor._poller.close()

    def test_others(self) -> None:
        """Another reactor handles all, as it does anyway."""
        reactor = SelectReactor()
        shorten_turns(reactor)
        self.assertEqual([len(turn) for turn in self._reads(reactor, 70, 1)], [70])

    def test_full_collections(self) -> None:
        """All objects are searched for garbage more rarely; young ones as often as before."""
        gc.set_threshold(701, 11, 12)
        shorten_turns(object())
        self.assertEqual(gc.get_threshold(), (701, 11, FULL_COLLECTION))


class _BusyClock:
    """A clock on which each look takes a third of a slice, and which takes one turn at a time."""

    def __init__(self) -> None:
        self._now = 0.0
        self._next: list[Callable[[], object]] = []

    def seconds(self) -> float:
        self._now += SLICE / 3
        return self._now

    def callLater(self, delay: float, call: Callable[..., object], *args: object) -> None:  # noqa: N802
        self._next.append(partial(call, *args))

    def turn(self) -> None:
        calls, self._next = self._next, []
        for call in calls:
            call()


class SlicesTests(SynchronousTestCase):
    """Long work with turns in between."""

    def test_short(self) -> None:
        """What is done in time is done at once."""
        taken: list[int] = []
        done = Slices(Clock()).run(partial(taken.append, number) for number in range(1000))
        self.successResultOf(done)
        self.assertEqual(taken, list(range(1000)))

    def test_nothing(self) -> None:
        """Nothing is done at once."""
        self.successResultOf(Slices(Clock()).run(()))

    def test_long(self) -> None:
        """What takes longer than a slice goes on in the next turn, in order, step by step."""
        clock: Any = _BusyClock()
        taken: list[int] = []
        fetched: list[int] = []

        def steps() -> Iterator[Any]:
            for number in range(8):
                fetched.append(number)
                yield partial(taken.append, number)

        done = Slices(clock).run(steps())
        for count in (3, 6):
            self.assertEqual(taken, list(range(count)))
            self.assertEqual(fetched, taken)
            self.assertNoResult(done)
            clock.turn()
        self.assertEqual(taken, list(range(8)))
        self.successResultOf(done)

    def test_soon(self) -> None:
        """What many ask for at the same time is done in order, by slices that they share."""
        clock: Any = _BusyClock()
        slices = Slices(clock)
        taken: list[str] = []

        def ask(name: str, times: int) -> None:
            taken.append(name)
            if times > 1:
                slices.soon(partial(ask, name, times - 1))

        for name in "ab":
            slices.soon(partial(ask, name, 4))
        for count in (0, 3, 6, 8, 8):
            self.assertEqual("".join(taken), "abababab"[:count])
            clock.turn()
        slices.soon(partial(ask, "c", 1))
        clock.turn()
        self.assertEqual(taken[8:], ["c"])

    def test_faults(self) -> None:
        """A step that fails is logged, and costs the others nothing."""
        taken: list[int] = []
        steps: tuple[Callable[[], object], ...]
        steps = (partial(taken.append, 1), lambda: 1 // 0, partial(taken.append, 2))
        self.successResultOf(Slices(Clock()).run(steps))
        self.assertEqual(taken, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
