"""`towerws.core.history`: what holds whatever happens, in whatever order.

The model is the plain list of everything that was published, lost or not. A client that resumes
gets all that its groups had since, page by page, each event once and in order, or is told a gap.
"""

from dataclasses import dataclass
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.hubs import PROCESS
from tests.metrics import read_sample
from tests.properties import WALK
from towerws.core.event import Event
from towerws.core.event_log import EVENT_BYTES, GROUP_BYTES
from towerws.core.history import Bounds, History, Kind
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions, Positions, StreamPositions

_GROUPS = "abc"
_SUBSETS = st.frozensets(st.sampled_from(_GROUPS), min_size=1)

#: Each of them is hit in short walks.
_BOUNDS = Bounds(bytes=2 * GROUP_BYTES + 8 * EVENT_BYTES, events=10, seconds=100.0)


@dataclass
class _Replay:
    """A client that is being brought to the present.

    Attributes:
        groups: What it wants.
        cursor: The offset up to where it has been.
        seen: How much of the model that is.
    """

    groups: frozenset[str]
    cursor: int
    seen: int


class _Walk(RuleBasedStateMachine):
    """What is the same wherever events come from."""

    def __init__(self, positions: Positions, *, is_partial: bool = False) -> None:
        super().__init__()
        self.clock = Clock()
        self.metrics = Metrics()
        self.history = History(
            positions, _BOUNDS, self.metrics, self.clock.seconds, is_partial=is_partial
        )
        # All that was ever published, and how much of it everybody here has heard, or heard a gap
        # instead of it.
        self.published: list[Event] = []
        self.heard = 0
        # The indices of what the history got.
        self.appended: list[int] = []
        self.replays: list[_Replay] = []

    def append(self, indices: list[int]) -> None:
        """Let the history have events, in runs as the hub makes them."""
        runs: list[tuple[str, list[Event]]] = []
        for event in (self.published[index] for index in indices):
            if not runs or runs[-1][0] != event.group:
                runs.append((event.group, []))
            runs[-1][1].append(event)
        self.history.append(runs)
        self.appended += indices

    @property
    def forgotten(self) -> int:
        """How many events the history says that it has forgotten."""
        name = "towerws_history_evicted_total"
        return sum(
            int(read_sample(self.metrics, f'{name}{{cause="{cause}"}}'))
            for cause in ("bytes", "events", "seconds", "gap")
        )

    @precondition(lambda self: self.replays)
    @rule(data=st.data(), most_bytes=st.integers(0, 600))
    def read_on(self, data: st.DataObject, most_bytes: int) -> None:
        """A client takes a page; at the end it is live, and hears all that comes."""
        replay = data.draw(st.sampled_from(self.replays))
        history, groups = self.history, replay.groups
        if not history.covers(replay.cursor, groups):
            self.replays.remove(replay)
        elif history.last >= replay.cursor:
            missed = [
                (index, event)
                for index, event in enumerate(self.published[: self.heard])
                if index >= replay.seen and event.group in groups
            ]
            assert history.count(replay.cursor, groups) == len(missed)
            page = history.read(replay.cursor, groups, most_bytes)
            assert page == [event for _, event in missed[: len(page)]]
            assert bool(page) == bool(missed)
            assert len(page) <= 1 or sum(len(event.payload) for event in page) <= most_bytes
            if page:
                replay.cursor, replay.seen = page[-1].offset, missed[len(page) - 1][0] + 1
            else:
                self.replays.remove(replay)

    @rule(seconds=st.sampled_from([0, 1, 30, 100]))
    def pass_time(self, seconds: int) -> None:
        """Time passes, and somebody looks at the clock."""
        self.clock.advance(seconds)
        self.history.expire()

    @invariant()
    def bounded(self) -> None:
        """No bound is passed, and the figures fit each other."""
        events = read_sample(self.metrics, "towerws_history_events")
        size = read_sample(self.metrics, "towerws_history_bytes")
        assert events == len(self.appended) - self.forgotten <= _BOUNDS.events
        assert events * EVENT_BYTES <= size <= _BOUNDS.bytes
        assert 0 <= read_sample(self.metrics, "towerws_history_seconds") <= _BOUNDS.seconds


@dataclass(frozen=True)
class _Given:
    """A position that a client was given.

    Attributes:
        text: As it was given.
        seen: How much of the model it stands for.
        appended: How many of the history's events.
        gaps: How many gaps there had been.
        covers: How often a group had been covered.
    """

    text: str
    seen: int
    appended: int
    gaps: int
    covers: int


class _LocalWalk(_Walk):
    """Events that one process numbers, of all groups."""

    is_partial: ClassVar[bool] = False

    def __init__(self) -> None:
        self.positions = LocalPositions(PROCESS)
        super().__init__(self.positions, is_partial=self.is_partial)
        self.is_interrupted = False
        self.gaps = self.covers = 0
        self.covered: dict[str, int] = {} if self.is_partial else dict.fromkeys(_GROUPS, 0)
        self.given: list[_Given] = []
        self._give(self.history.position, 0, 0)

    def _give(self, text: str, seen: int, appended: int) -> None:
        self.given.append(_Given(text, seen, appended, self.gaps, self.covers))

    def _give_all(self) -> None:
        self.heard = len(self.published)
        self._give(self.history.position, self.heard, len(self.appended))

    @rule(groups=st.text(_GROUPS, min_size=1, max_size=6), size=st.integers(0, 30))
    def publish(self, groups: str, size: int) -> None:
        """Events are published at once, and come as far as the source brings them."""
        indices = []
        for group in groups:
            comes = group in self.covered and not self.is_interrupted
            if comes:
                indices.append(len(self.published))
            offset = self.positions.next() if comes else -1
            self.published.append(Event(group, b"x" * size, offset))
        if indices:
            before = len(self.appended)
            self.append(indices)
            self.heard = indices[-1] + 1
            for count, index in enumerate(indices, before + 1):
                self._give(self.positions.format(self.published[index]), index + 1, count)

    @rule()
    def interrupt(self) -> None:
        """The source is interrupted; nobody knows yet."""
        self.is_interrupted = True

    @precondition(lambda self: self.is_interrupted)
    @rule()
    def go_on(self) -> None:
        """The source is back: everybody is told of a gap."""
        self.is_interrupted = False
        self.history.cut()
        self.gaps += 1
        self._give_all()

    @precondition(lambda self: self.is_partial and not self.is_interrupted)
    @rule(group=st.sampled_from(_GROUPS))
    def cover(self, group: str) -> None:
        """A group is bound."""
        self.history.cover(group)
        if group not in self.covered:
            self.covers += 1
            self.covered[group] = self.covers
        self._give_all()

    @precondition(lambda self: self.is_partial)
    @rule(group=st.sampled_from(_GROUPS))
    def uncover(self, group: str) -> None:
        """A group is not bound any more."""
        self.history.uncover(group)
        self.covered.pop(group, None)

    @rule(data=st.data(), groups=_SUBSETS)
    def resume(self, data: st.DataObject, groups: frozenset[str]) -> None:
        """A client comes back: it resumes if all is here, and only then."""
        given = data.draw(st.sampled_from(self.given))
        start = self.history.start(given.text, groups)
        is_here = (
            given.gaps == self.gaps
            and given.appended >= self.forgotten
            and all(self.covered.get(group, given.covers + 1) <= given.covers for group in groups)
        )
        assert start.kind is (Kind.MEMORY if is_here else Kind.NOWHERE), (given, start)
        if is_here:
            self.replays.append(_Replay(groups, start.offset, given.seen))


class _PartialWalk(_LocalWalk):
    """Events that one process numbers, of the groups that somebody listens to."""

    is_partial = True


class _StreamWalk(_Walk):
    """Events of a stream that this server reads, with others ahead of it and behind it."""

    def __init__(self) -> None:
        self.positions = StreamPositions()
        super().__init__(self.positions)
        self.next_offset = 0

    @initialize(groups=st.text(_GROUPS, max_size=8), data=st.data())
    def attach(self, groups: str, data: st.DataObject) -> None:
        """The stream is there already; this server begins somewhere in it."""
        self.publish(groups, 1, 0)
        self.heard = data.draw(st.integers(0, len(groups)))

    @rule(
        groups=st.text(_GROUPS, min_size=1, max_size=6),
        hole=st.integers(0, 2),
        size=st.integers(0, 30),
    )
    def publish(self, groups: str, hole: int, size: int) -> None:
        """Events come into the stream, perhaps with offsets between that are no events."""
        for group in groups:
            self.next_offset += hole
            payload = b"%d" % len(self.published) + b"x" * size
            self.published.append(Event(group, payload, self.next_offset))
            self.next_offset += 1

    @rule(count=st.integers(1, 6))
    def read_stream(self, count: int) -> None:
        """This server reads."""
        indices = list(range(len(self.published)))[self.heard : self.heard + count]
        self.append(indices)
        self.heard += len(indices)

    @precondition(lambda self: self.heard < len(self.published))
    @rule(data=st.data())
    def miss(self, data: st.DataObject) -> None:
        """This server comes back to the stream further on: a gap."""
        index = data.draw(st.integers(self.heard, len(self.published) - 1))
        self.append([index])
        self.history.cut()
        self.heard = index + 1

    @precondition(lambda self: self.published)
    @rule(data=st.data(), groups=_SUBSETS)
    def resume(self, data: st.DataObject, groups: frozenset[str]) -> None:
        """A client comes from anywhere: from memory, or else from an archive that has it all."""
        index = data.draw(st.integers(0, len(self.published) - 1))
        event = self.published[index]
        start = self.history.start(self.positions.format(event), groups)
        forgotten = self.forgotten
        is_here = bool(self.appended) and (
            self.appended[max(forgotten - 1, 0)] <= index < self.heard
        )
        assert start.kind is (Kind.MEMORY if is_here else Kind.ELSEWHERE), (index, start)
        if is_here:
            self.replays.append(_Replay(groups, start.offset, index + 1))
        else:
            upto = data.draw(st.integers(index, len(self.published) - 1))
            self.replays.append(_Replay(groups, self.published[upto].offset, upto + 1))

    @rule(offset=st.integers(0, 40), groups=_SUBSETS)
    def forge(self, offset: int, groups: frozenset[str]) -> None:
        """A position of another stream never resumes here."""
        start = self.history.start(f"{offset}-{'0' * 16}", groups)
        assert start.kind is not Kind.MEMORY


class HistoryPropertyTests(SynchronousTestCase):
    """What holds whatever happens."""

    def test_local(self) -> None:
        """A process that numbers its events itself."""
        run_state_machine_as_test(_LocalWalk, settings=WALK)

    def test_partial(self) -> None:
        """One that gets only what somebody listens to."""
        run_state_machine_as_test(_PartialWalk, settings=WALK)

    def test_stream(self) -> None:
        """One of several that read the same stream."""
        run_state_machine_as_test(_StreamWalk, settings=WALK)
