"""Servers in memory, in front of a broker that is a list: chaos without the waiting.

What is real is all of the core: sessions, profile, replay, hub, history.
"""

import json
from collections.abc import Callable, Collection
from itertools import count

from tests.chaos.checker import Entry
from tests.chaos.track import pack
from tests.fakes import FakeClient, FakeClock, FakeIdentity, FakeSource
from tests.hubs import make_hub
from towerws.core.archive import Archived, Reading
from towerws.core.event import Event
from towerws.core.history import Bounds
from towerws.core.hub import Hub
from towerws.core.limits import Excesses, Limits, SessionCounters
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions, Mark, StreamPositions
from towerws.core.replaying import ReplayCounters
from towerws.core.session import Session
from towerws.websocket.profiles import Profiles

GROUPS = ("a-1", "a-2")

#: Small, so that walks reach all of them.
BOUNDS = Bounds(events=6)
KEPT = 14

LIMITS = Limits(rate=1000, burst=1000, subscribe_within=0, heartbeat=3)


_processes = count()


class Broker:
    """What was published, in its order.

    Attributes:
        log: Every event; the offsets have holes.
        entries: By group, for the judge.
        generation: How often it was lost and began anew.
        kept: How many of the last events an archive finds; None if all.
    """

    def __init__(self, clock: FakeClock, kept: int | None = KEPT) -> None:
        self.kept = kept
        self.log: list[Event] = []
        self.entries: dict[str, list[Entry]] = {group: [] for group in GROUPS}
        self.generation = 0
        self._clock = clock

    def begin_anew(self) -> None:
        """Lose everything, as a stream that is deleted and declared again."""
        self.log = []
        self.generation += 1

    def publish(self, group: str) -> Event:
        """Publish the next event of a group."""
        entries = self.entries[group]
        n = len(entries)
        entries.append(Entry(pack(n, 0), self._clock.seconds()))
        payload = json.dumps({"group": group, "n": n, "attempt": 0}).encode()
        offset = self.log[-1].offset + 1 + n % 2 if self.log else 5
        event = Event(group, payload, offset)
        self.log.append(event)
        return event


class Node:
    """One server.

    Attributes:
        hub: Its hub.
        source: What the hub asks.
        is_deaf: Whether events pass it by.
    """

    hub: Hub
    source: FakeSource

    def __init__(self, clock: FakeClock, broker: Broker) -> None:
        self.clock = clock
        self.broker = broker
        self.is_deaf = False
        self.restart()

    def restart(self) -> None:
        """Begin anew, with nothing in memory."""
        self.metrics = Metrics()
        self.source = FakeSource()
        self.begin()
        excesses = Excesses(self.metrics, self.clock.seconds, lambda *_: None)
        self.counters = SessionCounters(self.metrics, excesses)
        self.profiles = Profiles(self.hub, ReplayCounters(self.metrics), 3, True, self.clock)

    def begin(self) -> None:
        """Make the hub."""
        raise NotImplementedError

    def settle(self) -> None:
        """Hear, and have, everything that there is."""
        self.hear()
        self.source.confirm()

    def hear(self) -> None:
        """End an interruption, if there is one."""
        raise NotImplementedError

    def session(self, client: FakeClient) -> Session:
        """Accept a client."""
        return Session(
            client,
            FakeIdentity(),
            self.hub,
            LIMITS,
            self.counters,
            speak=lambda told: self.profiles.speak(client, told),
            clock=self.clock,
        )


class ClassicNode(Node):
    """A server with a queue of its own: what is not bound when it is published never comes."""

    def begin(self) -> None:
        """See `Node`."""
        self.positions = LocalPositions(f"{next(_processes):016x}")
        self.hub = make_hub(
            self.metrics,
            positions=self.positions,
            bounds=BOUNDS,
            seconds=self.clock.seconds,
            is_partial=True,
        )
        self.source = self.bindings = BindingSource(self.hub)
        self.hub.attach(self.source)

    def offer(self, event: Event) -> None:
        """Take an event that has just been published."""
        if event.group in self.bindings.bound and not self.is_deaf:
            self.hub.publish([event._replace(offset=self.positions.next())])

    def hear(self) -> None:
        """See `Node`."""
        if self.is_deaf:
            self.is_deaf = False
            self.hub.gap("the broker was away")


class BindingSource(FakeSource):
    """Binds what is wanted when a test says so; what nobody wants lingers as long as it says.

    Attributes:
        bound: What the queue brings.
    """

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        self.bound: set[str] = set()

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """See `FakeSource`; what lingers is in force at once."""
        super().interest(started, ended)
        super().confirm(*self.bound.intersection(started), "")

    def confirm(self, *names: str) -> None:
        """See `FakeSource`."""
        for name in names or sorted(self.interests.wanted):
            if name and name not in self.bound:
                self.bound.add(name)
                self._hub.history.cover(name)
        super().confirm(*names)

    def unbind(self) -> None:
        """Let nothing linger any more."""
        for name in self.bound - self.interests.wanted:
            self.bound.discard(name)
            self._hub.history.uncover(name)


class StreamNode(Node):
    """A server that reads the log, when a test says so.

    Attributes:
        read: How much of it.
    """

    read = 0

    def begin(self) -> None:
        """See `Node`; the last events are read for the start."""
        self.hub = make_hub(
            self.metrics,
            positions=StreamPositions(),
            bounds=BOUNDS,
            seconds=self.clock.seconds,
        )
        self.hub.attach(self.source, ListArchive(self))
        self.read, self.generation = len(self.broker.log), self.broker.generation
        for event in self.broker.log[-3:]:
            self.hub.history.append([(event.group, [event])])

    def catch_up(self, count: int | None = None) -> None:
        """Read on, in one batch."""
        log = self.broker.log
        if self.generation != self.broker.generation:
            if not log:
                return
            self.read, self.generation = 1, self.broker.generation
            self.hub.gap("the stream began anew", log[0])
        end = len(log) if count is None else min(len(log), self.read + count)
        self.hub.publish(log[self.read : end])
        self.read = end

    def lose(self) -> None:
        """Be away for so long that the next events have expired."""
        log = self.broker.log
        if self.generation == self.broker.generation and len(log) - self.read >= 2:
            self.read = len(log)
            self.hub.gap("the stream has forgotten more than that", log[-1])

    def hear(self) -> None:
        """See `Node`."""
        if not self.broker.log:
            # The node's own mark, in the real one.
            self.broker.publish(GROUPS[0])
        self.catch_up()


class ListArchive:
    """The broker's log as an archive; answers when the time has come."""

    def __init__(self, node: StreamNode) -> None:
        self._node = node

    def read(
        self, mark: Mark, groups: frozenset[str], answer: Callable[[Archived | None], None]
    ) -> Reading:
        """See `towerws.core.archive.Archive`."""
        is_closed: list[bool] = []

        def found() -> None:
            if not is_closed:
                answer(self._find(mark, groups))

        self._node.clock.call_later(1, found)
        return _Reading(is_closed)

    def _find(self, mark: Mark, groups: frozenset[str]) -> Archived | None:
        node = self._node
        log, kept = node.broker.log, node.broker.kept
        rest = [event for event in log[-(kept or len(log)) :] if event.offset >= mark.offset]
        if not rest or node.hub.history.positions.format(rest[0]) != "-".join(map(str, mark)):
            return None
        upto, events = mark.offset, []
        for event in rest[1:]:
            if node.hub.history.covers(upto, groups):
                break
            upto = event.offset
            events += [event] if event.group in groups else []
        return Archived(events, upto)


class _Reading:
    """See `towerws.core.archive.Reading`."""

    def __init__(self, is_closed: list[bool]) -> None:
        self._is_closed = is_closed

    def close(self) -> None:
        self._is_closed.append(True)
