"""CI counts truthfully: nothing that did not run or went wrong can pass."""

import contextlib
import io
from pathlib import Path

from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from tools.ci_summary import Tally, count_steps, count_tests, main

_GREEN = """\
Installing towerws
Ran 12 tests in 0.345s

PASSED (successes=12)
"""


def _closing(ran: int, line: str) -> str:
    return f"-----\nRan {ran} tests in 1.234s\n\n{line}\n"


class CountTestsTests(SynchronousTestCase):
    """`count_tests` reads trial's closing lines."""

    def test_all_passed(self) -> None:
        """A green run counts its successes."""
        self.assertEqual(count_tests(_GREEN, 0), Tally(12, 0))

    def test_failures_and_errors(self) -> None:
        """What failed is counted, and named."""
        log = _closing(9, "FAILED (failures=1, errors=2, successes=6)")
        self.assertEqual(count_tests(log, 1), Tally(6, 3, ("tests: 1 failures", "tests: 2 errors")))

    def test_what_did_not_run_has_failed(self) -> None:
        """A skipped test and one marked to-do count as failed, although trial says PASSED."""
        log = _closing(9, "PASSED (skips=2, expectedFailures=1, successes=6)")
        tally = count_tests(log, 0)
        self.assertEqual((tally.passed, tally.failed), (6, 3))

    def test_no_closing_lines(self) -> None:
        """A run that stopped before trial could close is one failure, whatever its status."""
        for status in (0, 2):
            tally = count_tests("error: could not install\n", status)
            self.assertEqual((tally.passed, tally.failed), (0, 1))

    def test_two_closings(self) -> None:
        """Two sets of closing lines leave open which one counts: a failure."""
        self.assertEqual(count_tests(_GREEN + _GREEN, 0).failed, 1)

    def test_no_test(self) -> None:
        """A run of no test is a failure: it says nothing."""
        self.assertEqual(count_tests(_closing(0, "PASSED"), 0).failed, 1)

    def test_unaccounted(self) -> None:
        """When the figures are fewer than the tests that ran, something is amiss."""
        self.assertEqual(count_tests(_closing(3, "PASSED (successes=2)"), 0).failed, 1)

    def test_exit_status(self) -> None:
        """All tests passed and the command failed all the same: one failure."""
        self.assertEqual(count_tests(_GREEN, 1).failed, 1)

    def test_reads_what_trial_writes(self) -> None:
        """The installed trial closes its runs the way that is read here."""
        stream = io.StringIO()
        result = reporter.TreeReporter(stream)
        for _ in range(3):
            result.startTest(self)
            result.addSuccess(self)
            result.stopTest(self)
        result.startTest(self)
        result.addSkip(self, "no broker")
        result.stopTest(self)
        result.done()
        tally = count_tests(stream.getvalue(), 0)
        self.assertEqual((tally.passed, tally.failed), (3, 1))


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
