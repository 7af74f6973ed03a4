"""`towerws.core.event_log`."""

import sys
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.event import Event
from towerws.core.event_log import EVENT_BYTES, GROUP_BYTES, EventLog

_ALL = sys.maxsize


def _events(text: str) -> list[Event]:
    """Make an event of each letter: its group, and its place the offset, from 1; a space is a hole.

    The payload has as many bytes as the offset says.
    """
    return [
        Event(group, b"x" * offset, offset) for offset, group in enumerate(text, 1) if group != " "
    ]


def _append(log: EventLog, events: list[Event]) -> None:
    """Append events one by one, each in a run of its own."""
    for event in events:
        log.append([(event.group, [event])])


class EventLogTests(SynchronousTestCase):
    """A row of events, indexed by group."""

    def setUp(self) -> None:
        """Events of two groups, and a hole."""
        self.log = EventLog()
        self.events = _events("aab ba")
        _append(self.log, self.events)

    def _offsets(self, after: int, groups: str, most_bytes: int = _ALL) -> list[int]:
        return [event.offset for event in self.log.read(after, groups, most_bytes)]

    def test_read(self) -> None:
        """A group has its own events, in order, as they came; several are merged."""
        self.assertEqual(self.log.read(0, "a", _ALL), _events("aa   a"))
        self.assertEqual(self.log.read(0, "b", _ALL), _events("  b b"))
        self.assertEqual(self.log.read(0, "ba", _ALL), self.events)
        self.assertEqual(self.log.read(0, "c", _ALL), [])
        self.assertEqual(self.log.read(0, "", _ALL), [])
        self.assertIsInstance(self.log.read(0, "a", _ALL)[0], Event)

    def test_after(self) -> None:
        """What has an offset up to the one given is left out, whether there is an event or not."""
        self.assertEqual(self._offsets(2, "ab"), [3, 5, 6])
        self.assertEqual(self._offsets(3, "ab"), [5, 6])
        self.assertEqual(self._offsets(4, "ab"), [5, 6])
        self.assertEqual(self._offsets(6, "ab"), [])
        for after in range(8):
            for groups in ("a", "b", "ab"):
                self.assertEqual(self.log.count(after, groups), len(self._offsets(after, groups)))

    def test_pages(self) -> None:
        """No more bytes than allowed, but one event always."""
        self.assertEqual(self._offsets(0, "ab", 3 * EVENT_BYTES + 6), [1, 2, 3])
        self.assertEqual(self._offsets(0, "ab", 3 * EVENT_BYTES + 5), [1, 2])
        self.assertEqual(self._offsets(0, "ab", 0), [1])
        self.assertEqual(self._offsets(3, "ab", 4), [5])

    def test_runs(self) -> None:
        """Runs of several events, and several of the same group, come to the same."""
        log = EventLog()
        log.append([("a", self.events[:2]), ("b", self.events[2:4]), ("a", self.events[4:])])
        self.assertEqual(log.read(0, "ab", _ALL), self.events)
        self.assertEqual((log.size, log.events), (self.log.size, self.log.events))

    def test_find(self) -> None:
        """Each event is found by its offset, whatever its group; holes are not."""
        for event in self.events:
            self.assertEqual(self.log.find(event.offset), event)
        for offset in (-1, 0, 4, 7):
            self.assertIsNone(self.log.find(offset))

    def test_shrink_to_a_number(self) -> None:
        """The oldest go, from their groups too; the last of them is given."""
        self.assertIsNone(self.log.shrink(5, _ALL))
        self.assertEqual(self.log.shrink(3, _ALL), self.events[1])
        self.assertEqual(self._offsets(0, "ab"), [3, 5, 6])
        self.assertIsNone(self.log.find(2))
        self.assertEqual(self.log.find(3), self.events[2])
        self.assertEqual((self.log.events, self.log.forgotten, self.log.appended), (3, 2, 5))

    def test_shrink_to_a_size(self) -> None:
        """As many of the oldest go as take more than wanted, and none beyond."""
        size = self.log.size
        self.assertIsNone(self.log.shrink(9, size))
        self.assertEqual(self.log.shrink(9, size - 1), self.events[0])
        self.assertEqual(self.log.size, size - EVENT_BYTES - 1)
        self.assertEqual(self.log.shrink(9, self.log.size - EVENT_BYTES - 3), self.events[2])
        self.assertEqual(self.log.shrink(9, 0), self.events[4])

    def test_forgotten_is_gone(self) -> None:
        """Also while its place in the lists is still there, to go together with others."""
        log = EventLog()
        events = [Event("a", b"{}", offset) for offset in range(100)]
        log.append([("a", events)])
        log.shrink(90, _ALL)
        self.assertEqual(log.read(0, "a", _ALL), events[10:])
        self.assertEqual(log.count(-1, "a"), 90)
        self.assertIsNone(log.find(9))
        self.assertEqual(log.find(10), events[10])

    def test_size(self) -> None:
        """Payloads, and an estimate for each event and each group; nothing is left over."""
        payloads = sum(len(event.payload) for event in self.events)
        self.assertEqual(self.log.size, payloads + 5 * EVENT_BYTES + 2 * GROUP_BYTES)
        self.log.shrink(1, _ALL)
        self.assertEqual(self.log.size, 6 + EVENT_BYTES + GROUP_BYTES)
        self.log.shrink(0, _ALL)
        self.assertEqual((self.log.size, self.log.events), (0, 0))
        self.assertEqual(self.log._groups, {})

    def test_goes_on_empty(self) -> None:
        """What comes after everything was forgotten is there."""
        self.log.shrink(0, _ALL)
        event = Event("a", b"{}", 9)
        _append(self.log, [event])
        self.assertEqual(self.log.read(0, "ab", _ALL), [event])
        self.assertEqual(self.log.find(9), event)


class MemoryTests(SynchronousTestCase):
    """What it says that it takes is what it takes."""

    def _measure(self, groups: int, keep: int) -> tuple[int, int]:
        """Let 1,500 events pass.

        Args:
            groups: How many groups take turns.
            keep: How many events stay.

        Returns:
            The bytes that there are more than before, and the log's own estimate.
        """
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            log = EventLog()
            for number in range(1500):
                name = f"job_events-{number % groups}"
                log.append([(name, [Event(name, bytes(50), 1000 + number)])])
                log.shrink(keep, _ALL)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        return after - before, log.size

    def test_estimate(self) -> None:
        """The estimate is not below the truth, nor far above it, whatever the groups are like."""
        for groups in (1, 50, 1500):
            for keep in (400, 1500):
                used, estimate = self._measure(groups, keep)
                self.assertLess(used, estimate * 1.1, (groups, keep))
                self.assertGreater(used, estimate * 0.6, (groups, keep))

    def test_nothing_is_kept(self) -> None:
        """Payloads that were forgotten are free at once, though places in lists go in portions."""
        log = EventLog()
        _append(log, [Event("a", bytes(1000), number) for number in range(100)])
        log.shrink(90, _ALL)
        kept = [len(payload) for payload in log._groups["a"].payloads]
        self.assertEqual(sum(kept), 90_000)
        log.shrink(10, _ALL)
        self.assertLess(len(log._groups["a"].payloads), 20)
        self.assertLess(len(log._offsets), 20)
