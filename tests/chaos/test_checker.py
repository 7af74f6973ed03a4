"""The judge of `make chaos` finds each kind of fault, and nothing where there is none."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.checker import Entry, Finding, Kind, check, check_track, excuse_late
from tests.chaos.track import BreakKind, Track, pack

#: Number n is published at n seconds.
_ENTRIES = [Entry(pack(n, 0), float(n)) for n in range(10)]


def _track(*steps: int | str) -> Track:
    """Make a track of numbers, and words for breaks; each takes the time of the number before."""
    track = Track()
    time = -1.0
    for step in steps:
        if isinstance(step, int):
            time = float(step)
            track.saw(pack(step, 0), time + 0.5)
        else:
            due = float("inf") if step == "left" else time + 0.5
            track.mark(BreakKind(step), time + 0.5, due)
    return track


def _kinds(track: Track, entries: list[Entry] = _ENTRIES) -> list[tuple[Kind, list[int]]]:
    found = check_track(entries, track).findings
    return [(each.kind, [key // 1000 for key in each.keys]) for each in found]


class CleanTests(SynchronousTestCase):
    """Nothing is found where nothing is wrong."""

    def test_everything(self) -> None:
        """All events from the promise on, each once, in order."""
        result = check_track(_ENTRIES, _track("joined", *range(10)))
        self.assertEqual((result.deliveries, result.told, result.findings), (10, 0, []))

    def test_joined_late(self) -> None:
        """What was published before the promise may come or not."""
        track = Track()
        track.mark(BreakKind.JOINED, 4.5, 4.5)
        for n in range(5, 10):
            track.saw(pack(n, 0), n)
        self.assertEqual(_kinds(track), [])
        earlier = Track()
        earlier.mark(BreakKind.JOINED, 4.5, 4.5)
        for n in range(3, 10):
            earlier.saw(pack(n, 0), n)
        self.assertEqual(_kinds(earlier), [])

    def test_left(self) -> None:
        """What is published after a client has left is not promised, and what comes is no fault."""
        self.assertEqual(_kinds(_track("joined", 0, 1, 2, "left")), [])
        self.assertEqual(_kinds(_track("joined", 0, 1, 2, "left", 3, 6)), [])

    def test_never_promised(self) -> None:
        """Without a promise nothing is lost."""
        self.assertEqual(_kinds(_track(1, 3)), [])

    def test_unconfirmed_attempts(self) -> None:
        """An attempt that was not confirmed may come or not."""
        entries = [Entry(pack(0, 0), 0), Entry(pack(1, 0), 1, is_due=False), Entry(pack(1, 1), 2)]
        for seen in ([0, 1000, 1001], [0, 1001]):
            track = _track("joined")
            for key in seen:
                track.saw(key, key)
            self.assertEqual(_kinds(track, entries), [])

    def test_doubled_by_the_broker(self) -> None:
        """What the broker has twice comes twice."""
        entries = [*_ENTRIES[:3], _ENTRIES[2], *_ENTRIES[3:]]
        self.assertEqual(_kinds(_track("joined", 0, 1, 2, 2, *range(3, 10)), entries), [])


class FaultTests(SynchronousTestCase):
    """Each kind of fault is found, with what shows it."""

    def test_lost(self) -> None:
        """A hole is found, with what was seen around it and when."""
        result = check_track(_ENTRIES, _track("joined", 0, 1, 2, 5, 6, 7, 8, 9))
        expected = Finding("", Kind.LOST, (3000, 4000), 2000, 5000, since=2.5, until=5.5)
        self.assertEqual(result.findings, [expected])
        self.assertEqual((result.count(Kind.LOST), result.count(Kind.DOUBLED)), (2, 0))

    def test_lost_first(self) -> None:
        """Events behind the promise are lost also if none was seen before."""
        self.assertEqual(_kinds(_track("joined", *range(3, 10))), [(Kind.LOST, [0, 1, 2])])

    def test_lost_last(self) -> None:
        """The end is lost when it never came."""
        result = check_track(_ENTRIES, _track("joined", *range(8)))
        self.assertEqual(
            result.findings, [Finding("", Kind.LOST, (8000, 9000), 7000, None, 7.5, None)]
        )
        self.assertEqual(_kinds(_track("joined")), [(Kind.LOST, list(range(10)))])

    def test_doubled(self) -> None:
        """An event that comes twice is found, at once or later."""
        self.assertEqual(_kinds(_track("joined", 0, 1, 1, *range(2, 10))), [(Kind.DOUBLED, [1])])
        late = _track("joined", *range(10), 4)
        self.assertEqual(_kinds(late), [(Kind.DOUBLED, [4])])
        self.assertEqual(check_track(_ENTRIES, late).findings[0].before, 9000)

    def test_doubled_attempt(self) -> None:
        """An attempt that was not confirmed may come only once."""
        entries = [Entry(pack(0, 0), 0, is_due=False), Entry(pack(0, 1), 1)]
        track = _track("joined", 0, 0)
        track.saw(pack(0, 1), 2)
        self.assertEqual(_kinds(track, entries), [(Kind.DOUBLED, [0])])

    def test_reordered(self) -> None:
        """An event that comes behind a later one is out of order, and not lost."""
        order = _track("joined", 0, 1, 3, 2, *range(4, 10))
        self.assertEqual(_kinds(order), [(Kind.REORDERED, [2])])
        self.assertEqual(_kinds(_track("joined", 3, 0, *range(4, 10)))[1:], [(Kind.REORDERED, [0])])

    def test_reordered_attempts(self) -> None:
        """A later attempt does not come before an earlier one."""
        entries = [Entry(pack(0, 0), 0, is_due=False), Entry(pack(0, 1), 1)]
        track = _track("joined")
        track.saw(pack(0, 1), 2)
        track.saw(pack(0, 0), 3)
        self.assertEqual(_kinds(track, entries), [(Kind.REORDERED, [0])])

    def test_unknown(self) -> None:
        """An event that nobody published is found."""
        self.assertEqual(_kinds(_track("joined", *range(10), 77)), [(Kind.UNKNOWN, [77])])

    def test_across_a_reconnect(self) -> None:
        """A connection that is resumed is no excuse: it makes no break."""
        self.assertEqual(_kinds(_track("joined", 0, 1, *range(3, 10))), [(Kind.LOST, [2])])

    def test_promise_from_a_position(self) -> None:
        """Joined with a position, everything after that is due, not only what follows the reply."""
        track = Track()
        track.mark(BreakKind.JOINED, time=8.5, due_from=1.5)
        for n in (4, 5, 6, 7, 8, 9):
            track.saw(pack(n, 0), 9)
        self.assertEqual(_kinds(track), [(Kind.LOST, [2, 3])])


class GapTests(SynchronousTestCase):
    """A gap covers what is missing where it was told, and nothing else."""

    def test_published_behind(self) -> None:
        """What is published after the gap was told is due again."""
        result = check_track(_ENTRIES, _track("joined", 0, 1, 2, "gap", 5, 6, 7, 8, 9))
        self.assertEqual([each.keys for each in result.findings], [(3000, 4000)])

    def test_covers(self) -> None:
        """Events published before the gap was told may be missing behind it."""
        track = _track("joined", 0, 1, 2)
        track.mark(BreakKind.GAP, 4.5, 4.5)
        for n in range(5, 10):
            track.saw(pack(n, 0), n)
        result = check_track(_ENTRIES, track)
        self.assertEqual((result.findings, result.told), ([], 2))

    def test_elsewhere(self) -> None:
        """A gap between other events covers nothing."""
        self.assertEqual(
            _kinds(_track("joined", 0, 1, 2, "gap", 3, 4, 7, 8, 9)), [(Kind.LOST, [5, 6])]
        )
        self.assertEqual(
            _kinds(_track("joined", 0, 3, "gap", *range(4, 10))), [(Kind.LOST, [1, 2])]
        )

    def test_begins_anew(self) -> None:
        """Behind a gap events may come again, as on another server; but once, and in order."""
        track = _track("joined", *range(6))
        track.mark(BreakKind.GAP, 5.5, 5.5)
        for n in (4, 5, 6, 7, 8, 9):
            track.saw(pack(n, 0), n)
        self.assertEqual(_kinds(track), [])
        track.saw(pack(7, 0), 9)
        self.assertEqual(_kinds(track), [(Kind.DOUBLED, [7])])

    def test_last(self) -> None:
        """Behind the last gap everything is due."""
        track = _track("joined", 0, 1, 2)
        track.mark(BreakKind.GAP, 6.5, 6.5)
        self.assertEqual(_kinds(track), [(Kind.LOST, [7, 8, 9])])


class AllGroupsTests(SynchronousTestCase):
    """`check` adds up what became of a client's groups."""

    def test_adds_up(self) -> None:
        """Each group is compared with what was published to it."""
        whole = [*range(10)]
        tracks = {"a": _track("joined", *whole), "b": _track("joined", *whole, 3), "c": _track(1)}
        result = check({"a": _ENTRIES, "b": _ENTRIES}, tracks)
        self.assertEqual(result.deliveries, 22)
        self.assertEqual([each.kind for each in result.findings], [Kind.DOUBLED, Kind.UNKNOWN])


class RandomTests(SynchronousTestCase):
    """Whatever is done to a whole sequence is found, and counted exactly."""

    @given(st.sets(st.integers(0, 9)))
    def test_any_loss(self, lost: set[int]) -> None:
        """Whatever is taken out is lost, no more and no less."""
        kept = [n for n in range(10) if n not in lost]
        result = check_track(_ENTRIES, _track("joined", *kept))
        self.assertEqual(
            sorted(key // 1000 for each in result.findings for key in each.keys), sorted(lost)
        )

    @given(st.permutations(range(10)))
    def test_any_order(self, order: list[int]) -> None:
        """Each event that comes behind a later one is out of order; nothing else is wrong."""
        expected = sum(n < max(order[: i + 1]) for i, n in enumerate(order))
        result = check_track(_ENTRIES, _track("joined", *order))
        self.assertEqual(result.count(Kind.REORDERED), expected)
        self.assertEqual(result.count(Kind.DOUBLED), 0)


class LateTests(SynchronousTestCase):
    """A gap soon behind its place, in classic mode."""

    def _excused(self, within: float, *steps: int | str) -> tuple[int, int]:
        tracks = {"a-1": _track(*steps)}
        result = check({"a-1": _ENTRIES}, tracks)
        excuse_late(result, tracks, within)
        return result.told_late, len(result.findings)

    def test_soon(self) -> None:
        """The event behind the lost ones is number 4; the gap comes after number 5."""
        self.assertEqual(self._excused(1.0, "joined", 0, 1, 4, 5, "gap", *range(6, 10)), (2, 0))

    def test_too_late(self) -> None:
        """Later gaps have other reasons."""
        self.assertEqual(self._excused(0.9, "joined", 0, 1, 4, 5, "gap", *range(6, 10)), (0, 1))

    def test_other_faults(self) -> None:
        """Nothing else is excused: what came twice, and what is missing before no event or gap."""
        self.assertEqual(self._excused(9.0, "joined", *range(5), 4, 5, "gap", 6, 7, 8, 9), (0, 1))
        self.assertEqual(self._excused(9.0, "joined", *range(8)), (0, 1))
        self.assertEqual(self._excused(9.0, "joined", 0, 1, "gap", 2, 3, 6, 7, 8, 9), (0, 1))
