"""The one way through: every event, whatever its source, goes to its listeners here.

``source -> Hub.publish -> history -> subscriptions -> outbox -> transport``. The hub is told by
sessions who wants what and tells the source which groups have listeners; it knows neither the
network in front nor the broker behind.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence, Set
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Protocol

from towerws.core.archive import Archive
from towerws.core.event import Event, Frames, Variant
from towerws.core.history import History
from towerws.core.metrics import Metrics
from towerws.core.subscriptions import Change, Subscriptions
from towerws.core.wire_v1 import enveloping


class Sink(Protocol):
    """Takes what is to be sent to a client."""

    def write(self, frames: bytes, /) -> None:
        """Take whole frames, once per batch if they are not large. Never raises."""


class Connection(Hashable, Protocol):
    """What the hub sees of a client: where its frames go, and the form of frame that it takes."""

    @property
    def sink(self) -> Sink:
        """Where its frames go at the moment; asked for each time."""

    @property
    def variant(self) -> Variant:
        """The form of frame that it takes."""

    def gap(self, why: str) -> None:
        """Take note that events of this connection's groups may have been missed. Never raises.

        Args:
            why: One sentence, for people.
        """


class EventSource(Protocol):
    """Where events come from, and what the hub tells it."""

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Take note that groups got their first listener, or lost their last one."""

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back once every event published from then on to any of these groups will come.

        The groups have listeners. Calls back at once where nothing is to be waited for. Whatever
        the same waiter waited for before is forgotten.
        """

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more, whether or not this one waits."""


#: Bytes up to which frames of several groups are joined to be written at once. Beyond that a copy
#: would cost more than a second write, above all in memory: there is one for each combination of
#: groups that connections have, where the frames themselves are shared by all.
JOIN_UP_TO = 1 << 16

#: The group of an event.
_GROUP = itemgetter(0)


class SourceUnavailable(Exception):
    """A source could not take an event that was to be published through it.

    Its text is one sentence, meant for whoever publishes.
    """


class Hub:
    """Brings events from the source to the connections that listen.

    Attributes:
        history: What was published, as far back as it reaches.
        archive: What keeps it longer, if anything does.
    """

    def __init__(self, metrics: Metrics, history: History) -> None:
        """Start without connections.

        Args:
            metrics: Where events and deliveries are counted.
            history: Keeps what is published.
        """
        self.history = history
        self.archive: Archive | None = None
        self._envelope = enveloping(history.positions.format)
        self._subscriptions: Subscriptions[Connection] = Subscriptions()
        self._source: EventSource | None = None
        self._events = metrics.counter("towerws_events_total", "Events that came from the source.")
        self._unheard = metrics.counter(
            "towerws_events_unheard_total", "Events that came for groups without a listener."
        )
        self._deliveries = metrics.counter(
            "towerws_deliveries_total", "Events handed to connections, once for each."
        )
        self._gaps = metrics.counter(
            "towerws_gaps_total", "Interruptions in which events may have been missed."
        )
        metrics.gauge("towerws_groups", "Groups with at least one listener.", self._count_groups)

    def attach(self, source: EventSource, archive: Archive | None = None) -> None:
        """Name the source; to be done once, before the first client comes.

        Args:
            source: Is told from now on which groups have listeners.
            archive: What keeps events longer than the history, if anything does.
        """
        self._source = source
        self.archive = archive

    def publish(self, batch: Iterable[Event]) -> int:
        """Deliver events to all who listen.

        Args:
            batch: Events in the order of their publication, by rising offsets; those that came in
                one read, so that each connection is written to once for all of them.

        Returns:
            The number of deliveries.
        """
        runs = [(group, list(run)) for group, run in groupby(batch, _GROUP)]
        # First, for whoever is being replayed to reads on from there.
        self.history.append(runs)
        return self._fan_out(runs)

    def subscribe(
        self,
        connection: Connection,
        names: Collection[str],
        in_force: Callable[[Change], None],
    ) -> None:
        """Give a connection a new set of groups in place of its old one.

        Args:
            connection: Whoever listens.
            names: The names of all its groups from now on.
            in_force: Called, perhaps at once, when every event published from then on reaches the
                connection; with what changed. Not called if the connection leaves, or gets
                another set, before that.
        """
        change = self._change(connection, names)
        # All groups, not only those it joined: what it keeps may have been lost meanwhile.
        self._attached.when_in_force(connection, change.current, partial(in_force, change))

    def leave(self, connection: Connection) -> None:
        """Forget a connection.

        Args:
            connection: The one that is gone; one that never subscribed is fine as well.
        """
        self._attached.forget(connection)
        self._change(connection, ())

    def groups_of(self, connection: Connection) -> frozenset[str]:
        """Give the names of the groups that a connection is in.

        Args:
            connection: Whoever listens.

        Returns:
            The set that it was last given.
        """
        return self._subscriptions.groups_of(connection)

    def gap(self, why: str, first: Event | None = None) -> None:
        """Take note that events may have been missed, and have all connections told.

        Args:
            why: What interrupted the source, as one sentence for people.
            first: The first event behind it, which is delivered behind the news. Needed where
                positions are those of events: it is the position from which nothing is missing.
        """
        self._gaps.add()
        runs = [] if first is None else [(first.group, [first])]
        self.history.append(runs)
        self.history.cut()
        for connection in tuple(self._subscriptions.connections):
            connection.gap(why)
        self._fan_out(runs)

    def _fan_out(self, runs: Iterable[tuple[str, list[Event]]]) -> int:
        events = unheard = deliveries = 0
        heard: list[tuple[Frames, Set[Connection]]] = []
        for group, together in runs:
            events += len(together)
            members = self._subscriptions.members(group)
            if members:
                deliveries += len(together) * len(members)
                heard.append((Frames(together, self._envelope), members))
            else:
                unheard += len(together)
        self._events.value += events
        self._unheard.value += unheard
        self._deliveries.value += deliveries
        if len(heard) == 1:
            _deliver(*heard[0])
        else:
            _deliver_mixed(heard)
        return deliveries

    def _change(self, connection: Connection, names: Collection[str]) -> Change:
        change = self._subscriptions.replace(connection, names)
        if change.started or change.ended:
            self._attached.interest(change.started, change.ended)
        return change

    @property
    def _attached(self) -> EventSource:
        assert self._source is not None, "attach() comes before the first client"
        return self._source

    def _count_groups(self) -> int:
        return len(self._subscriptions.heard)


def _deliver(frames: Frames, members: Set[Connection]) -> None:
    """Write events of one group: the usual case, and the loop that costs.

    As little as can be for each connection, see docs/performance.md. In a copy of the members,
    since one that is cut leaves the group.
    """
    made: list[bytes | None] = [None] * len(Variant)
    for connection in tuple(members):
        variant = connection.variant
        piece = made[variant]
        if piece is None:
            piece = made[variant] = frames.of(variant)
        connection.sink.write(piece)


def _deliver_mixed(heard: Sequence[tuple[Frames, Set[Connection]]]) -> None:
    """Write events of several groups: still once for each connection, in their order."""
    wanted: dict[Connection, list[Frames]] = {}
    for frames, members in heard:
        for connection in members:
            wanted.setdefault(connection, []).append(frames)
    # What is joined is shared as well: many connections are in the same groups.
    joined: dict[tuple[object, ...], Sequence[bytes]] = {}
    for connection, parts in wanted.items():
        key = (connection.variant, *parts)
        pieces = joined.get(key)
        if pieces is None:
            pieces = joined[key] = _join([part.of(connection.variant) for part in parts])
        for piece in pieces:
            connection.sink.write(piece)


def _join(pieces: Sequence[bytes]) -> Sequence[bytes]:
    return [b"".join(pieces)] if sum(map(len, pieces)) <= JOIN_UP_TO else pieces
