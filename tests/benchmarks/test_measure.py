"""Reading /proc, and summing up."""

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.measure import CPU, Spread, percentile, resident, runs, tree


class CPUTests(SynchronousTestCase):
    """CPU of this process, whose own clock knows it as well."""

    def test_agrees_with_the_clock(self) -> None:
        """What is used between two readings is what the process's clock says."""
        own = [os.getpid()]
        before, began = CPU.read(own), time.process_time_ns()
        while time.process_time_ns() < began + 20_000_000:
            pass
        used = CPU.read(own).since(before)
        self.assertGreater(used, 15_000_000)
        self.assertLess(used, time.process_time_ns() - began + 20_000_000)

    def test_doubts(self) -> None:
        """Two accounts that differ, and a process that is gone, are told; small change is not."""
        before = CPU({1: 0, 2: 0}, {1: 0, 2: 0})
        second = 1_000_000_000
        self.assertEqual(CPU({1: second, 2: 0}, {1: second - 9, 2: 0}).doubts(before), "")
        self.assertIn("utime", CPU({1: second, 2: 0}, {1: second // 2, 2: 0}).doubts(before))
        self.assertIn("ended", CPU({1: second}, {1: second}).doubts(before))

    def test_gone(self) -> None:
        """A server that has ended is an error, not a server that costs nothing."""
        self.assertRaises(FileNotFoundError, CPU.read, [1 << 23])

    def test_memory_and_tree(self) -> None:
        """This process has some memory, and is among its parent's children."""
        self.assertGreater(resident([os.getpid()]), 1 << 20)
        self.assertIn(os.getpid(), tree([os.getppid()]))


class FigureTests(SynchronousTestCase):
    """Percentiles and spreads."""

    def test_percentile(self) -> None:
        """The nearest rank: of a hundred values the 99th is the last but one."""
        values = range(1, 101)
        self.assertEqual(
            [percentile(values, share) for share in (0, 0.5, 0.99, 1)], [1, 50, 99, 100]
        )
        self.assertEqual(percentile([7], 0.99), 7)

    def test_spread(self) -> None:
        """Median, lowest and highest."""
        self.assertEqual(Spread.of([3, 1, 9]), Spread(3, 1, 9))

    def test_runs(self) -> None:
        """The median comes first, and no run is left out."""
        self.assertEqual(
            runs([3, 1, 9], "ms").split(" ms "), ["     3.0", " (1.0 to 9.0: 3.0 1.0 9.0)"]
        )
