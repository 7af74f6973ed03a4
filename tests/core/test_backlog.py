"""`towerws.core.backlog`: in order, each once, and never a part that looks whole."""

from tests.core.history_case import HistoryCase
from towerws.core.backlog import Backlog
from towerws.core.event import Event
from towerws.core.event_log import EVENT_BYTES
from towerws.core.history import Bounds

ALL = {"a", "b"}


class BacklogTests(HistoryCase):
    """Three events of the history, and what was archived before them."""

    def setUp(self) -> None:
        """Publish; the offsets are 1 to 3."""
        self.history = self.local(Bounds(events=3))
        self.publish(self.history, "aba")

    def offsets_of(self, events: list[Event]) -> list[int]:
        """Give the offsets of events."""
        return [event.offset for event in events]

    def test_order(self) -> None:
        """The archived ones first, then those behind them."""
        archived = [Event("a", b"", -1), Event("b", b"", 0), Event("a", b"", 1)]
        backlog = Backlog(self.history, 1, archived)
        taken = []
        while not backlog.is_empty(ALL):
            taken += self.offsets_of(backlog.take(ALL, 1))
        self.assertEqual(taken, [-1, 0, 1, 2, 3])
        self.assertEqual(backlog.take(ALL, 1), [])

    def test_pages(self) -> None:
        """A page ends with the event that fills it; small events cost something as well."""
        backlog = Backlog(self.history, 3, [Event("a", b"xy", n) for n in range(5)])
        most = 2 * (EVENT_BYTES + 2)
        pages = [self.offsets_of(backlog.take(ALL, size)) for size in (most, most - 1, most + 1)]
        self.assertEqual(pages, [[0, 1], [2, 3], [4]])

    def test_groups(self) -> None:
        """What is not wanted is skipped, however much it is, and not counted."""
        archived = [Event("b", b"", 0)] * 5 + [Event("a", b"", 1)]
        self.assertEqual(Backlog(self.history, 1, archived).keep({"a"}), 2)
        backlog = Backlog(self.history, 1, archived)
        self.assertEqual(self.offsets_of(backlog.take({"a"}, 1)), [1])
        self.assertFalse(backlog.has_archived)
        self.assertEqual(self.offsets_of(backlog.take({"a"}, 1)), [3])
        self.assertTrue(backlog.is_empty({"a"}))

    def test_forgotten(self) -> None:
        """What the history has forgotten is not skipped; the archived ones are whole."""
        backlog = Backlog(self.history, 1, [Event("a", b"", 1)])
        self.assertTrue(backlog.is_whole(ALL))
        self.publish(self.history, "bb")
        self.assertFalse(backlog.is_whole(ALL))
        self.assertEqual(self.offsets_of(backlog.take({"a"}, 1000)), [1])
        self.assertFalse(backlog.is_empty({"a"}))
        self.assertEqual(backlog.take({"b"}, 1000), [])
        # Nothing of it is here, but something was.
        self.publish(self.history, "bbb")
        self.assertFalse(backlog.is_empty({"a"}))

    def test_ahead(self) -> None:
        """The history may not have come so far."""
        backlog = Backlog(self.history, 4, [])
        self.assertTrue(backlog.is_whole(ALL))
        self.assertFalse(backlog.is_reached)
        self.publish(self.history, "a")
        self.assertTrue(backlog.is_reached)
