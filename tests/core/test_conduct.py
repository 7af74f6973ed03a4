"""`towerws.core.conduct`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClock
from towerws.core.conduct import Conduct
from towerws.core.limits import Excesses, Limits, SessionCounters
from towerws.core.metrics import Metrics


class ConductTests(SynchronousTestCase):
    """How often is too often; tests/core/test_session_order.py has what a session makes of it."""

    def setUp(self) -> None:
        """Allow one message a second, two at once, and two strikes."""
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.reports: list[tuple[str, str, int]] = []
        excesses = Excesses(
            self.metrics, self.clock.seconds, lambda *report: self.reports.append(report)
        )
        self.counters = SessionCounters(self.metrics, excesses)
        limits = Limits(rate=1, burst=2, strikes=2)
        self.conduct = Conduct(limits, self.counters, self.clock, 7)

    def test_rate(self) -> None:
        """So many at once, and so many a second."""
        self.assertEqual([self.conduct.may_speak() for _ in range(3)], [True, True, False])
        self.clock.advance(1)
        self.assertEqual([self.conduct.may_speak() for _ in range(2)], [True, False])

    def test_strikes(self) -> None:
        """They count in a row; what was not the client's fault is none."""
        self.assertFalse(self.conduct.strike("frames"))
        self.conduct.refused("pending")
        self.conduct.forgive()
        self.assertFalse(self.conduct.strike("frames"))
        self.assertTrue(self.conduct.strike("groups"))
        self.assertEqual(self.counters.over_limit.value, 4)
        self.assertEqual(
            [report[:2] for report in self.reports],
            [
                ("frames", "user 7"),
                ("pending", "user 7"),
                ("groups", "user 7"),
            ],
        )

    def test_note(self) -> None:
        """A limit that no message went over is counted by its name alone."""
        self.conduct.note("subscribe_timeout")
        self.assertEqual(self.counters.over_limit.value, 0)
        self.assertIn('towerws_limited_total{limit="subscribe_timeout"} 1\n', self.metrics.render())
