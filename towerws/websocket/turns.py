"""Short turns of the reactor, however many clients do the same thing at the same time.

In one turn the reactor handles everything that has happened since the last one, and nothing else
happens meanwhile. When ten thousand clients leave at once that is half a second in which no event
goes out: docs/performance.md has the figures. So the events of one turn are bounded, and what the
server itself does to all clients is done in slices.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

#: Sockets that are looked after in one turn. Handshakes are what costs most; as many of them at
#: once are some 20 ms. The price of a turn, some 20 us, is divided by this number under load.
EVENTS = 64

#: Seconds of a turn for what is done to many clients in slices.
SLICE = 0.01

#: Collections of the middle generation for each search of all objects for garbage, in place of
#: Python's 10. With ten thousand connections one takes 150 ms, and finds nothing: a connection that
#: is closed leaves no cycles. This way there is one for some fifty thousand connections; what a
#: plugin may leave behind is still found before it is a matter of gigabytes.
FULL_COLLECTION = 200


class _BoundedPoller:
    """An epoll object that gives a few events at a time; the kernel keeps the others, in order."""

    def __init__(self, poller: Any) -> None:
        self._poller = poller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, timeout: float = -1, maxevents: int = EVENTS) -> list[tuple[int, int]]:
        events: list[tuple[int, int]] = self._poller.poll(timeout, min(maxevents, EVENTS))
        return events


def shorten_turns(reactor: Any) -> None:
    """Bound what the reactor and the garbage collector do at once; again changes nothing.

    If it is Twisted's epoll reactor, the default on Linux, it handles only so many sockets in one
    turn. None can starve: the kernel puts one that it has reported behind those that it has not.
    Other reactors go on as they are, correct and with longer turns.

    Args:
        reactor: Of whatever kind.
    """
    poller = getattr(reactor, "_poller", None)
    if hasattr(poller, "fileno") and not isinstance(poller, _BoundedPoller):
        reactor._poller = _BoundedPoller(poller)  # noqa: SLF001  # there is no other way
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION)


class Slices:
    """Does a long piece of work a slice at a time, with turns of the reactor in between."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        """Prepare.

        Args:
            clock: The reactor.
        """
        self._clock = clock
        self._soon: deque[Callable[[], object]] = deque()
        self._is_soon_due = False

    def soon(self, step: Callable[[], object]) -> None:
        """Take a step in a turn to come, behind all that were asked for before.

        However many ask for it at the same time, they share the slices of one.

        Args:
            step: A short one, which may ask for another. If it fails, that is logged.
        """
        self._soon.append(step)
        if not self._is_soon_due:
            self._is_soon_due = True
            self._clock.callLater(0, lambda: self.run(self._take_soon()))

    def run(self, steps: Iterable[Callable[[], object]]) -> Deferred[None]:
        """Take all steps: the first slice of them now, which may be all.

        Args:
            steps: Short ones. A step that fails is logged, and the others are taken all the same.

        Returns:
            Fires when all are done.
        """
        done: Deferred[None] = Deferred()
        self._run_slice(iter(steps), done)
        return done

    def _take_soon(self) -> Iterator[Callable[[], object]]:
        while self._soon:
            yield self._soon.popleft()
        self._is_soon_due = False

    def _run_slice(self, steps: Iterator[Callable[[], object]], done: Deferred[None]) -> None:
        end = self._clock.seconds() + SLICE
        for step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001  # any fault of ours; the rest is owed to others
                self._log.failure("in one step of many")
            if self._clock.seconds() >= end:
                self._clock.callLater(0, self._run_slice, steps, done)
                return
        done.callback(None)
