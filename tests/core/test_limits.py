"""`towerws.core.limits`."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.limits import Excesses, Limits
from towerws.core.metrics import Metrics
from towerws.core.throttle import DEFAULT_INTERVAL


class LimitsTests(SynchronousTestCase):
    """The defaults, which docs/protocol.md names."""

    def test_defaults(self) -> None:
        """One change of a default is one change of the documents."""
        limits = Limits()
        self.assertEqual((limits.groups, limits.pending, limits.strikes), (1000, 16, 10))
        self.assertEqual((limits.rate, limits.burst), (20, 200))
        self.assertEqual((limits.subscribe_within, limits.recheck_every), (120, 0))


class ExcessesTests(SynchronousTestCase):
    """What goes over a limit is counted each time, and told once a minute."""

    def setUp(self) -> None:
        """Begin with a clock that stands still."""
        self.now = 0.0
        self.metrics = Metrics()
        self.reports: list[tuple[str, str, int]] = []
        self.excesses = Excesses(
            self.metrics, lambda: self.now, lambda *report: self.reports.append(report)
        )

    def test_one_line_a_minute(self) -> None:
        """And it says how many there would have been."""
        for who in ("user 1", "user 2", "user 3"):
            self.excesses.note("frames", who)
        self.assertEqual(self.reports, [("frames", "user 1", 0)])
        self.now = DEFAULT_INTERVAL
        self.excesses.note("frames", "user 4")
        self.assertEqual(self.reports[1:], [("frames", "user 4", 2)])

    def test_each_limit_by_itself(self) -> None:
        """One limit does not hide another."""
        self.excesses.note("frames", "user 1")
        self.excesses.note("groups", "user 1")
        self.assertEqual([limit for limit, _, _ in self.reports], ["frames", "groups"])

    def test_counters(self) -> None:
        """Each has a series of its own."""
        for limit in ("frames", "groups", "frames"):
            self.excesses.note(limit, "user 1")
        page = self.metrics.render()
        self.assertIn('towerws_limited_total{limit="frames"} 2\n', page)
        self.assertIn('towerws_limited_total{limit="groups"} 1\n', page)
