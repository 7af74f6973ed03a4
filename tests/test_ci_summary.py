"""CI counts truthfully: nothing that did not run or went wrong can pass."""

import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools.ci_summary import Tally, count_steps, main, read_total

_GREEN = """\
Installing towerws
test_some ... [OK]

12 passed, 0 failed
"""


class ReadTotalTests(SynchronousTestCase):
    """`read_total` reads the line that counts tests."""

    def test_all_passed(self) -> None:
        """A green run counts its successes."""
        self.assertEqual(read_total(_GREEN, 0), Tally(12, 0))

    def test_failures(self) -> None:
        """What failed is counted, and named; make says more after that line."""
        log = "6 passed, 3 failed\nmake: *** [Makefile:38: test] Error 1\n"
        self.assertEqual(read_total(log, 2), Tally(6, 3, ("tests: 3 failed",)))

    def test_nothing_counted(self) -> None:
        """A run that stopped before it could count is one failure, whatever its status."""
        for status in (0, 2):
            tally = read_total("error: could not install\n", status)
            self.assertEqual((tally.passed, tally.failed), (0, 1))

    def test_counted_twice(self) -> None:
        """Two lines that count leave open which one does: a failure."""
        self.assertEqual(read_total(_GREEN + _GREEN, 0).failed, 1)

    def test_no_test(self) -> None:
        """A run of no test is a failure: it says nothing."""
        self.assertEqual(read_total("0 passed, 0 failed\n", 0).failed, 1)

    def test_exit_status(self) -> None:
        """All tests passed and the command failed all the same: one failure."""
        self.assertEqual(read_total(_GREEN, 1).failed, 1)


class CountStepsTests(SynchronousTestCase):
    """`count_steps` adds the other steps."""

    def test_each_step_counts_once(self) -> None:
        """Twelve tests and two steps are fourteen."""
        tally = count_steps(_GREEN, {"tests": 0, "ruff": 0, "mypy": 0})
        self.assertEqual(str(tally), "14 passed, 0 failed")

    def test_failed_step(self) -> None:
        """A step that failed is named."""
        tally = count_steps(_GREEN, {"tests": 0, "ruff": 1, "mypy": 0})
        self.assertEqual(tally, Tally(13, 1, ("ruff: exit status 1",)))


class MainTests(SynchronousTestCase):
    """The command as .ci/run calls it."""

    def _printed(self, log: str, *steps: str) -> tuple[int, str]:
        path = Path(self.mktemp())
        path.write_text(log, encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = main([str(path), *steps])
        return status, printed.getvalue()

    def test_green(self) -> None:
        """The last line counts, and the exit status is 0."""
        self.assertEqual(self._printed(_GREEN, "tests=0", "ruff=0"), (0, "13 passed, 0 failed\n"))

    def test_red(self) -> None:
        """What failed stands above the last line, and the exit status is 1."""
        status, printed = self._printed(_GREEN, "tests=0", "ruff=2")
        self.assertEqual((status, printed), (1, "ruff: exit status 2\n12 passed, 1 failed\n"))

    def test_nothing(self) -> None:
        """A run of nothing is not green."""
        self.assertEqual(self._printed(""), (1, "0 passed, 0 failed\n"))
