"""How late the load generator is."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.lag import INTERVAL, LagMeter


class LagMeterTests(SynchronousTestCase):
    """`LagMeter` measures with timers."""

    def setUp(self) -> None:
        """Measure in a reactor that has used no CPU time."""
        self.clock = Clock()
        self.cpu = 5.0
        self.meter = LagMeter(self.clock, lambda: self.cpu)

    def test_lag(self) -> None:
        """A timer that is late counts by how late it is."""
        self.meter.start()
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL + 0.5)
        self.assertEqual(self.meter.lag.count, 2)
        self.assertAlmostEqual(self.meter.lag.largest, 500_000_000, delta=1000)

    def test_cpu(self) -> None:
        """The share is that of the time between start and stop."""
        self.assertEqual(self.meter.cpu_share, 0)
        self.meter.start()
        self.cpu += 0.5
        self.clock.advance(2)
        self.meter.stop()
        self.clock.advance(2)
        self.assertEqual(self.meter.cpu_share, 0.25)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_without_start(self) -> None:
        """Nothing was measured."""
        self.meter.stop()
        self.assertEqual(self.meter.lag.count, 0)
