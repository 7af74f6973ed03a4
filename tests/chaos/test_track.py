"""What a client's log keeps."""

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.track import BreakKind, ClientLog, Track, pack, show


class KeyTests(SynchronousTestCase):
    """An event's number and attempt as one integer."""

    def test_order(self) -> None:
        """Keys are in the order of publication: by number, then by attempt."""
        events = [(0, 0), (0, 1), (1, 0), (2, 999), (3, 0)]
        keys = [pack(*event) for event in events]
        self.assertEqual(keys, sorted(keys))
        self.assertEqual([show(key) for key in keys[:3]], ["0", "0 (attempt 2)", "1"])

    def test_too_many_attempts(self) -> None:
        """Attempts that would be taken for the next number are refused."""
        self.assertRaises(ValueError, pack, 1, 1000)


class TrackTests(SynchronousTestCase):
    """The breaks of a track."""

    def test_segments(self) -> None:
        """What lies between breaks, with what was promised there."""
        track = Track()
        track.saw(1, 1.0)
        track.mark(BreakKind.JOINED, 2.0, due_from=1.5)
        track.saw(2, 3.0)
        track.saw(3, 4.0)
        track.mark(BreakKind.GAP, 5.0, due_from=5.0)
        track.mark(BreakKind.LEFT, 6.0)
        found = [(each.first, each.end, each.is_promised) for each in track.segments()]
        self.assertEqual(found, [(0, 1, False), (1, 3, True), (3, 3, True), (3, 3, False)])


class ClientLogTests(SynchronousTestCase):
    """What is noted of a client."""

    def test_ends_and_faults(self) -> None:
        """Ends are counted by kind; a fault is a line of the log as well."""
        log = ClientLog("c")
        log.ended(1.0, "1012")
        log.ended(2.0, "1012")
        log.fault(3.0, "too much")
        self.assertEqual(log.ends, {"1012": 2})
        self.assertEqual([remark.time for remark in log.remarks], [1.0, 2.0, 3.0])
        self.assertEqual([remark.text for remark in log.faults], ["too much"])
        self.assertIs(log.track("g"), log.track("g"))
