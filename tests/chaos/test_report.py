"""The table, and the evidence of what is wrong."""

from collections import Counter
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos import truth
from tests.chaos.checker import check
from tests.chaos.publishing import Publication, Record
from tests.chaos.rain import Happening
from tests.chaos.report import evidence, table
from tests.chaos.run import Report
from tests.chaos.schedule import Fault
from tests.chaos.track import BreakKind, ClientLog
from tests.chaos.world import Scale


def _report(
    seen: Sequence[int],
    *,
    mode: str = "stream",
    gap_at: int | None = None,
    in_stream: Sequence[int] = range(10),
    faults: Sequence[Fault] = (Fault.CUT,),
) -> Report:
    """Make a report of one client and ten events of one group."""
    log = ClientLog("client-0")
    log.remark(0.0, "in force")
    track = log.track("g-1")
    track.mark(BreakKind.JOINED, -1.0, -1.0)
    for n in seen:
        if n == gap_at:
            log.gaps += 1
            log.remark(n, "gap: the broker was away; position p")
            track.mark(BreakKind.GAP, n - 0.5, n - 0.5)
        track.saw(n * 1000, n)
    attempts = {"g-1": [Publication(n * 1000, n, n + 0.1) for n in range(10)]}
    known = truth.of_stream(attempts, {"g-1": [n * 1000 for n in in_stream]})
    return Report(
        Scale(mode, 1.0, clients=1, groups=1, joined=1, rate=1.0, threads=1, seed=5),
        [Happening(fault, 3.0, 3.5, "1 connections", is_done=True) for fault in faults],
        [log],
        {log.name: check(known.published, log.tracks)},
        known,
        [],
        Counter(),
        Record(attempts, returned=0),
        "",
    )


class TableTests(SynchronousTestCase):
    """The figures of runs side by side."""

    def test_figures(self) -> None:
        """Faults by kind, and what became of the events; nothing is wrong."""
        report = _report(range(10))
        lines = dict(line.rsplit(None, 1) for line in table([report]).splitlines()[1:] if line)
        for title, figure in {"clients cut": "1", "deliveries": "10", "lost": "0"}.items():
            self.assertEqual(lines[title], figure)
        self.assertTrue(report.ok)
        self.assertEqual(evidence(report), "")

    def test_side_by_side(self) -> None:
        """A column for each mode."""
        both = table([_report(range(10), mode="classic"), _report([*range(10), 3])])
        self.assertRegex(both.splitlines()[0], r"^ +classic +stream$")
        self.assertRegex(both, r"(?m)^doubled +0 +1$")


class EvidenceTests(SynchronousTestCase):
    """What is shown of each kind of fault."""

    def test_lost(self) -> None:
        """Who, which group, which numbers, between which; when they were published; the faults."""
        report = _report([0, 1, 2, 5, 6, 7, 8, 9])
        self.assertFalse(report.ok)
        shown = evidence(report)
        self.assertIn("client-0, g-1: lost 2: 3, 4; between 2 and 5", shown)
        self.assertIn("3.000 3 published, confirmed 3.100", shown)
        self.assertIn("FAULT until 3.500: clients cut: 1 connections", shown)
        self.assertIn("stream: 1 findings: lost", shown)

    def test_gap(self) -> None:
        """In classic mode a gap excuses; in stream mode it is a fault, unless data was deleted."""
        seen = [0, 1, 2, 5, 6, 7, 8, 9]
        classic = _report(seen, mode="classic", gap_at=5)
        self.assertTrue(classic.ok)
        self.assertEqual(classic.total.told, 2)
        stream = _report(seen, gap_at=5)
        self.assertFalse(stream.ok)
        self.assertIn("1 x gap: the broker was away", evidence(stream))
        self.assertTrue(_report(seen, gap_at=5, faults=[Fault.STREAM_DELETED]).ok)

    def test_lost_by_the_broker(self) -> None:
        """What the broker confirmed and lost is told, and is no fault of the servers."""
        report = _report([0, 1], in_stream=[0, 1])
        self.assertTrue(report.ok)
        self.assertRegex(table([report]), r"(?m)^confirmed, but not in the stream +8$")

    def test_protocol(self) -> None:
        """What a server may not do is a fault, whatever the sequences are."""
        report = _report(range(10))
        report.logs[0].fault(4.0, "an event of another group")
        self.assertFalse(report.ok)
        self.assertIn("protocol: an event of another group", evidence(report))
        complaint = _report(range(10))
        complaint.complaints.append("server-1 ended by itself")
        self.assertFalse(complaint.ok)
        self.assertEqual(evidence(complaint), "stream: server-1 ended by itself")
