"""`towerws.core.history`: what can be resumed from, and what cannot."""

from tests.core.history_case import HistoryCase
from tests.hubs import position
from towerws.core.event import Event
from towerws.core.history import Bounds, Kind
from towerws.core.positions import Mark, StreamPositions


class LocalTests(HistoryCase):
    """What one process has published itself."""

    def test_before_anything(self) -> None:
        """Who was there from the start misses nothing."""
        history = self.local()
        self.assertEqual((history.position, history.last), (position(0), 0))
        origin = history.position
        self.assertEqual(self.offsets(history, origin, "a"), [])
        history.append([])
        self.assertEqual(history.position, origin)
        self.publish(history, "ab")
        self.assertEqual(self.offsets(history, origin, "ab"), [1, 2])

    def test_position(self) -> None:
        """It is that of the last event, whatever its group."""
        history = self.local()
        self.publish(history, "a")
        self.assertEqual((history.position, history.last), (position(1), 1))
        events = [Event("b", b"{}", 2), Event("b", b"{}", 3)]
        history.append([("b", events), ("c", [Event("c", b"{}", 5)])])
        self.assertEqual((history.position, history.last), (position(5), 5))
        self.assertEqual(self.offsets(history, position(1), "bc"), [2, 3, 5])
        self.assertEqual(history.count(2, "bc"), 2)

    def test_refused(self) -> None:
        """Other processes' positions, nonsense, and what was never given are nowhere."""
        history = self.local()
        self.publish(history, "aa")
        for since in ("", "-", "ffffffffffffffff-1", position(3), position(2**63 - 1)):
            self.assertEqual(self.offsets(history, since, "a"), "nowhere")

    def test_too_old(self) -> None:
        """What was forgotten is not replayed in part; behind it, everything is."""
        history = self.local(Bounds(events=2))
        self.publish(history, "abab")
        for offset, missed in ((0, "nowhere"), (1, "nowhere"), (2, [3, 4]), (3, [4]), (4, [])):
            self.assertEqual(self.offsets(history, position(offset), "ab"), missed)
        self.assertEqual([history.covers(after, "ab") for after in (1, 2, 9)], [False, True, True])

    def test_numbers_rise(self) -> None:
        """Whoever numbers in another way is told, and nothing is changed."""
        history = self.local()
        self.publish(history, "aa")
        history.cut()
        for offset in (0, 2, 3):
            self.assertRaises(ValueError, history.append, [("a", [Event("a", b"{}", offset)])])
        self.publish(history, "a")
        self.assertEqual(self.offsets(history, position(3), "a"), [4])


class CutTests(HistoryCase):
    """A gap."""

    def test_local(self) -> None:
        """Nobody resumes from before it, not even who had got everything: who knows what came."""
        history = self.local()
        self.publish(history, "aa")
        before = history.position
        history.cut()
        self.assertNotEqual(history.position, before)
        self.assertEqual(self.offsets(history, before, "a"), "nowhere")
        # A replay that had come to the end, and was about to go on.
        self.assertFalse(history.covers(2, "a"))
        self.assertEqual(self.offsets(history, history.position, "a"), [])
        told = history.position
        self.publish(history, "ab")
        self.assertEqual(self.offsets(history, told, "ab"), [4, 5])
        self.assertEqual(self.offsets(history, before, "ab"), "nowhere")
        self.assertEqual(self.evicted("gap"), 2)

    def test_again(self) -> None:
        """One behind the other, with nothing between: each is a gap of its own."""
        history = self.local()
        history.cut()
        first = history.position
        history.cut()
        self.assertEqual(self.offsets(history, first, "a"), "nowhere")
        self.assertEqual(self.offsets(history, history.position, "a"), [])
        self.assertEqual(self.evicted("gap"), 0)

    def test_forgotten_behind_it(self) -> None:
        """The place of a gap is older than what is kept some day."""
        history = self.local(Bounds(events=1))
        history.cut()
        told = history.position
        self.publish(history, "a")
        self.assertEqual(self.offsets(history, told, "a"), [2])
        self.publish(history, "a")
        self.assertEqual(self.offsets(history, told, "a"), "nowhere")

    def test_shared(self) -> None:
        """The first event behind it is the one to resume from; what was before, others may know."""
        history = self.make(StreamPositions())
        events = [Event("a", b"%d" % number, number) for number in (3, 4, 9, 10)]
        for event in events[:3]:
            history.append([("a", [event])])
        before = StreamPositions().format(events[1])
        history.cut()
        self.assertEqual(history.position, StreamPositions().format(events[2]))
        self.assertEqual(self.offsets(history, history.position, "a"), [])
        self.assertEqual(self.offsets(history, before, "a"), "elsewhere")
        told = history.position
        history.append([("a", events[3:])])
        self.assertEqual(self.offsets(history, told, "a"), [10])
        self.assertEqual(self.offsets(history, before, "a"), "elsewhere")
        # Who has read up to there elsewhere goes on here.
        self.assertEqual([history.covers(after, "a") for after in (8, 9)], [False, True])


class SharedTests(HistoryCase):
    """What several servers read from one stream."""

    def setUp(self) -> None:
        """Three events, with holes before and between."""
        super().setUp()
        self.shared = StreamPositions()
        self.events = [Event("aba"[i], b"%d" % i, offset) for i, offset in enumerate((5, 6, 9))]
        self.history = self.make(self.shared)
        self.at = [self.shared.format(event) for event in self.events]

    def _append(self, *events: Event) -> None:
        for event in events:
            self.history.append([(event.group, [event])])

    def test_before_anything(self) -> None:
        """No position is known, and none can be resumed from here; others may know it."""
        self.assertEqual((self.history.position, self.history.last), ("-", -1))
        self.assertEqual(self.offsets(self.history, "-", "a"), "nowhere")
        self.assertEqual(self.offsets(self.history, self.at[0], "a"), "elsewhere")
        self.history.cut()
        self.assertEqual((self.history.position, self.history.last), ("-", -1))

    def test_proven(self) -> None:
        """A position is proven by the event there, of whatever group."""
        self._append(*self.events)
        for since, missed in zip(self.at, ([6, 9], [9], []), strict=True):
            self.assertEqual(self.offsets(self.history, since, "ab"), missed)
        self.assertEqual(self.offsets(self.history, self.at[1], "b"), [])
        start = self.history.start(self.at[0], "a")
        self.assertEqual((start.offset, start.mark), (5, self.shared.parse(self.at[0])))

    def test_of_another_stream(self) -> None:
        """Another event there, or none: nothing that is here may be missing something for it."""
        self._append(*self.events)
        for offset in (5, 6, 9):
            since = f"{offset}-{'0' * 16}"
            self.assertEqual(self.offsets(self.history, since, "ab"), "nowhere")
        for offset in (7, 8):
            since = self.shared.format(self.events[0]._replace(offset=offset))
            self.assertEqual(self.offsets(self.history, since, "ab"), "nowhere")

    def test_elsewhere(self) -> None:
        """Before the first event or behind the last one, somebody else may know."""
        self._append(*self.events)
        for offset in (0, 4, 10, 2**63 - 1):
            start = self.history.start(f"{offset}-{'0' * 16}", "ab")
            self.assertEqual(start.kind, Kind.ELSEWHERE)
            self.assertEqual(start.mark, Mark(offset, "0" * 16))
            self.assertTrue(start.why)

    def test_covers(self) -> None:
        """What was read elsewhere up to just before the first event goes on here."""
        self._append(*self.events)
        self.assertEqual(
            [self.history.covers(after, "a") for after in (3, 4, 99)], [False, True, True]
        )
        self.assertEqual(self.history.count(4, "ab"), 3)

    def test_forgotten(self) -> None:
        """The last event that was forgotten still proves its position; those before do not."""
        self.history = self.make(self.shared, Bounds(events=1))
        self._append(*self.events)
        self.assertEqual(self.offsets(self.history, self.at[0], "ab"), "elsewhere")
        self.assertEqual(self.offsets(self.history, self.at[1], "ab"), [9])
        self.assertEqual(self.offsets(self.history, f"6-{'0' * 16}", "ab"), "nowhere")

    def test_declared_anew(self) -> None:
        """A stream that begins again is another one: nothing of the old one counts."""
        self._append(*self.events)
        anew = Event("a", b"new", 6)
        self._append(anew)
        self.assertEqual(self.history.position, self.shared.format(anew))
        self.assertEqual(self.offsets(self.history, self.at[0], "ab"), "elsewhere")
        self.assertEqual(self.offsets(self.history, self.at[1], "ab"), "nowhere")
        self.assertEqual(self.offsets(self.history, self.history.position, "ab"), [])
        self.assertEqual([self.history.covers(after, "a") for after in (4, 5)], [False, True])
        self.assertEqual(self.evicted("gap"), 3)


class PartialTests(HistoryCase):
    """A source that brings only what somebody listens to."""

    def setUp(self) -> None:
        """Nothing is covered yet."""
        super().setUp()
        self.history = self.local(is_partial=True)

    def test_not_covered(self) -> None:
        """What did not come may have been published."""
        self.assertEqual(self.offsets(self.history, self.history.position, "a"), "nowhere")
        self.assertFalse(self.history.covers(99, "a"))
        # Whoever wants nothing misses nothing.
        self.assertEqual(self.offsets(self.history, self.history.position, ""), [])

    def test_from_cover_on(self) -> None:
        """Who was there when it began misses nothing, also if nothing is published."""
        self.history.cover("a")
        there = self.history.position
        self.assertEqual(self.offsets(self.history, there, "a"), [])
        self.publish(self.history, "a")
        self.assertEqual(self.offsets(self.history, there, "a"), [2])
        self.assertEqual(self.offsets(self.history, there, "ab"), "nowhere")

    def test_before_cover(self) -> None:
        """Who was there just before does, also if nothing else was published in between."""
        before = self.history.position
        self.history.cover("a")
        self.assertEqual(self.offsets(self.history, before, "a"), "nowhere")
        self.publish(self.history, "a")
        self.assertEqual(self.offsets(self.history, before, "a"), "nowhere")
        there = self.history.position
        self.history.cover("b")
        self.assertEqual(self.offsets(self.history, there, "a"), [])
        self.assertEqual(self.offsets(self.history, there, "ab"), "nowhere")
        self.assertEqual(self.offsets(self.history, self.history.position, "ab"), [])

    def test_again(self) -> None:
        """What is covered already is not covered anew."""
        self.history.cover("a")
        there = self.history.position
        self.history.cover("a")
        self.assertEqual(self.history.position, there)

    def test_uncover(self) -> None:
        """A group that did not come for a while is covered anew from then on only."""
        self.history.cover("a")
        there = self.history.position
        self.history.uncover("a")
        self.history.uncover("a")
        self.assertEqual(self.offsets(self.history, there, "a"), "nowhere")
        self.history.cover("a")
        self.assertEqual(self.offsets(self.history, there, "a"), "nowhere")
        self.assertEqual(self.offsets(self.history, self.history.position, "a"), [])

    def test_cut(self) -> None:
        """After a gap, what is covered is covered from there on."""
        self.history.cover("a")
        self.publish(self.history, "a")
        before = self.history.position
        self.history.cut()
        self.assertEqual(self.offsets(self.history, before, "a"), "nowhere")
        self.assertEqual(self.offsets(self.history, self.history.position, "a"), [])
