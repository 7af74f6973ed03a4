"""What was found out a moment ago, and what is being found out: each is asked for only once."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from towerws.core.metrics import Counter

_T = TypeVar("_T")

#: Not known to anybody, so that nobody can tell from a digest what it was made of.
_KEY = secrets.token_bytes(32)


def digest(*parts: str) -> bytes:
    """Make a key for a cache of something secret, such as the credentials of a client.

    Args:
        *parts: What the key stands for; ``("ab", "c")`` is another key than ``("a", "bc")``.

    Returns:
        16 bytes: a keyed BLAKE2b, which differs from process to process.
    """
    hashed = hashlib.blake2b(digest_size=16, key=_KEY)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big"))
        hashed.update(data)
    return hashed.digest()


@dataclass(slots=True, eq=False)
class _Flight(Generic[_T]):
    """A fetch under way, who waits for it in the order they came, and what it must not bring."""

    fetch: Callable[[], Awaitable[_T]]
    lifetime: Callable[[_T], float]
    waiting: dict[Deferred[_T], None] = field(default_factory=dict)
    unwanted: list[Callable[[_T], bool]] = field(default_factory=list)
    fetching: Deferred[tuple[_T, float]] | None = None

    async def run(self) -> tuple[_T, float]:
        """Fetch, again if what came was discarded meanwhile; also tell how long it may be kept."""
        while True:
            self.unwanted.clear()
            value = await self.fetch()
            if not any(unwanted(value) for unwanted in self.unwanted):
                return value, self.lifetime(value)


class SingleFlight(Generic[_T]):
    """Fetches the value of a key once for all who ask at the same time, and keeps it for a while.

    Each of those who ask gets a Deferred of its own. To cancel it harms nobody else; the fetch is
    cancelled when nobody waits for it any more. Failures are told to all who wait, and not kept.

    Attributes:
        evictions: How many values were dropped before their time because there were too many.
    """

    def __init__(
        self, clock: IReactorTime, *, max_entries: int, evictions: Counter | None = None
    ) -> None:
        """Start empty.

        Args:
            clock: Tells when a value has had its time.
            max_entries: How many values are kept; those that were fetched first make room.
            evictions: To be counted in; one of its own if None.
        """
        self.evictions = Counter() if evictions is None else evictions
        self._clock = clock
        self._max_entries = max_entries
        # In the order in which they were fetched; each with the time until which it holds.
        self._entries: dict[Hashable, tuple[float, _T]] = {}
        self._flights: dict[Hashable, _Flight[_T]] = {}

    def __len__(self) -> int:
        """Count the values that are kept, among them some whose time is over."""
        return len(self._entries)

    def get(
        self,
        key: Hashable,
        fetch: Callable[[], Awaitable[_T]],
        lifetime: Callable[[_T], float],
    ) -> Deferred[_T]:
        """Give the value that is kept for a key, or fetch it.

        Args:
            key: Whose value; made with `digest` where it would be a secret.
            fetch: Called if there is neither a value nor a fetch under way.
            lifetime: Says for how many seconds a value is kept from now on, 0 for not at all.

        Returns:
            The value; or fails with what ``fetch`` failed with.
        """
        entry = self._entries.get(key)
        if entry is not None and self._clock.seconds() < entry[0]:
            return succeed(entry[1])
        return self._join(key, fetch, lifetime)

    def refresh(
        self,
        key: Hashable,
        fetch: Callable[[], Awaitable[_T]],
        lifetime: Callable[[_T], float],
    ) -> Deferred[_T]:
        """Fetch the value of a key although one may be kept, and drop that one.

        All who ask again at the same time share one fetch. It may have begun before this call, for
        somebody else, and so be as old as one fetch takes; but nothing that `discard` was called
        for since then can come of it.

        Args:
            key: See `get`.
            fetch: Called if there is no fetch under way.
            lifetime: See `get`.

        Returns:
            See `get`.
        """
        self._entries.pop(key, None)
        return self._join(key, fetch, lifetime)

    def discard(self, unwanted: Callable[[_T], bool]) -> None:
        """Drop values, those too that are on their way: they are fetched again for who waits.

        So nobody is told afterwards what may have been true only before.

        Args:
            unwanted: Tells which of the values.
        """
        for key in [key for key, (_, value) in self._entries.items() if unwanted(value)]:
            del self._entries[key]
        for flight in self._flights.values():
            flight.unwanted.append(unwanted)

    def clear(self) -> None:
        """Drop all values; see `discard`."""
        self.discard(lambda _: True)

    def _join(
        self,
        key: Hashable,
        fetch: Callable[[], Awaitable[_T]],
        lifetime: Callable[[_T], float],
    ) -> Deferred[_T]:
        joined = self._flights.get(key)
        flight = _Flight(fetch, lifetime) if joined is None else joined
        waiter: Deferred[_T] = Deferred(lambda gone: self._leave(key, flight, gone))
        flight.waiting[waiter] = None
        if joined is None:
            self._flights[key] = flight
            flight.fetching = Deferred.fromCoroutine(flight.run())
            flight.fetching.addCallbacks(
                self._land, self._fail, callbackArgs=(key, flight), errbackArgs=(key, flight)
            )
        return waiter

    def _leave(self, key: Hashable, flight: _Flight[_T], waiter: Deferred[_T]) -> None:
        # What the waiter fails with, Deferred.cancel sees to.
        flight.waiting.pop(waiter, None)
        if not flight.waiting and self._flights.get(key) is flight:
            del self._flights[key]
            assert flight.fetching is not None, "it is cancelled while it begins"
            flight.fetching.cancel()

    def _land(self, result: tuple[_T, float], key: Hashable, flight: _Flight[_T]) -> None:
        value, seconds = result
        if self._flights.get(key) is flight:
            del self._flights[key]
            self._keep(key, value, seconds)
        for waiter in self._take_waiting(flight):
            waiter.callback(value)

    def _fail(self, reason: Failure, key: Hashable, flight: _Flight[_T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        for waiter in self._take_waiting(flight):
            waiter.errback(reason)

    def _take_waiting(self, flight: _Flight[_T]) -> Iterator[Deferred[_T]]:
        # One at a time: what one of them does may be to cancel another.
        while flight.waiting:
            waiter = next(iter(flight.waiting))
            del flight.waiting[waiter]
            yield waiter

    def _keep(self, key: Hashable, value: _T, seconds: float) -> None:
        now = self._clock.seconds()
        self._entries.pop(key, None)
        if seconds > 0:
            self._entries[key] = (now + seconds, value)
        # Without a timer for each: whatever is fetched clears away what is over at the front.
        while self._entries:
            oldest = next(iter(self._entries))
            over = self._entries[oldest][0] <= now
            if not over and len(self._entries) <= self._max_entries:
                break
            del self._entries[oldest]
            self.evictions.add(not over)
