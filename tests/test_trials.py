"""Trials side by side: every test runs once, is counted once, and nothing is left running."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.loopback import end_group, runs, wait_until
from tools.ci_summary import Tally
from tools.trials import (
    BROKERS,
    INTEGRATION,
    ROOT,
    UNITS,
    count_tests,
    find_modules,
    run,
    share_out,
)

#: What a trial prints that ran its argument, and what it ends with.
_TRIAL = """\
import sys
print("runs", *sys.argv[1:])
if "dies" in sys.argv: sys.exit(3)
print(f"Ran {len(sys.argv) - 1} tests in 0.1s")
failed = sys.argv.count("fails")
print(f"FAILED (failures={failed}, successes={len(sys.argv) - 1 - failed})" if failed
      else f"PASSED (successes={len(sys.argv) - 1})")
sys.exit(failed)
"""

#: A trial that waits, with a command of its own, whatever is done to it; notes who waits.
_WAITING = """\
import os, signal, sys
os.fork()
signal.signal(signal.SIGINT, signal.SIG_IGN)
with open(sys.argv[1], "a") as notes:
    print(os.getpid(), file=notes)
while True:
    signal.pause()
"""


def _closing(ran: int, line: str) -> str:
    return f"-----\nRan {ran} tests in 1.234s\n\n{line}\n"


_GREEN = "test_some ... [OK]\n" + _closing(12, "PASSED (successes=12)")


class ShareOutTests(SynchronousTestCase):
    """`share_out` leaves nothing out."""

    def test_everything_once(self) -> None:
        """Each module of the checkout is in one share, and each share has some."""
        modules = find_modules()
        shares = share_out(modules)
        self.assertIn(__name__, modules)
        shared_out = [module for share in shares.values() for module in share]
        self.assertEqual(sorted(shared_out), sorted(modules))
        self.assertEqual([name for name, share in shares.items() if not share], [])

    def test_names_what_exists(self) -> None:
        """No module is named that is there no more."""
        named = {f"{INTEGRATION}.{name}" for names in BROKERS.values() for name in names}
        self.assertEqual(named - set(find_modules()), set())

    def test_by_name(self) -> None:
        """A name counts in tests.integration only; what is not named there starts servers."""
        share, names = next(iter(BROKERS.items()))
        name = min(names)
        shares = share_out([f"tests.{name}", f"{INTEGRATION}.{name}", f"{INTEGRATION}.test_new"])
        self.assertEqual(shares["units"], [f"tests.{name}"])
        self.assertEqual(shares[share], [f"{INTEGRATION}.{name}"])
        self.assertEqual(shares["servers"], [f"{INTEGRATION}.test_new"])

    def test_units(self) -> None:
        """What starts no server is shared out evenly."""
        shares = share_out(f"tests.test_{letter}" for letter in "abcde")
        self.assertEqual([len(shares[name]) for name in UNITS], [3, 2])


class CountTestsTests(SynchronousTestCase):
    """`count_tests` reads trial's closing lines."""

    def test_all_passed(self) -> None:
        """A green run counts its successes."""
        self.assertEqual(count_tests("x", _GREEN, 0), Tally(12, 0))

    def test_failures_and_errors(self) -> None:
        """What failed is counted, and named."""
        log = _closing(9, "FAILED (failures=1, errors=2, successes=6)")
        self.assertEqual(count_tests("x", log, 1), Tally(6, 3, ("x: 1 failures", "x: 2 errors")))

    def test_what_did_not_run_has_failed(self) -> None:
        """A skipped test and one marked to-do count as failed, although trial says PASSED."""
        log = _closing(9, "PASSED (skips=2, expectedFailures=1, successes=6)")
        tally = count_tests("x", log, 0)
        self.assertEqual((tally.passed, tally.failed), (6, 3))

    def test_no_closing_lines(self) -> None:
        """A run that stopped before trial could close is one failure, whatever its status."""
        for status in (0, -9):
            tally = count_tests("x", "Segmentation fault\n", status)
            self.assertEqual((tally.passed, tally.failed), (0, 1))

    def test_two_closings(self) -> None:
        """Two sets of closing lines leave open which one counts: a failure."""
        self.assertEqual(count_tests("x", _GREEN + _GREEN, 0).failed, 1)

    def test_no_test(self) -> None:
        """A run of no test is a failure: it says nothing."""
        self.assertEqual(count_tests("x", _closing(0, "PASSED"), 0).failed, 1)

    def test_unaccounted(self) -> None:
        """When the figures are fewer than the tests that ran, something is amiss."""
        self.assertEqual(count_tests("x", _closing(3, "PASSED (successes=2)"), 0).failed, 1)

    def test_exit_status(self) -> None:
        """All tests passed and trial failed all the same: one failure."""
        self.assertEqual(count_tests("x", _GREEN, 1).failed, 1)

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
        tally = count_tests("x", stream.getvalue(), 0)
        self.assertEqual((tally.passed, tally.failed), (3, 1))


class RunTests(SynchronousTestCase):
    """Trials that are real processes, of few words."""

    def test_shows_and_counts(self) -> None:
        """All that they print is shown, one trial after the other, and all tests are counted."""
        stream = io.BytesIO()
        shares = {"one": ["a", "fails"], "two": ["b"], "three": ["dies"]}
        total = run([sys.executable, "-c", _TRIAL], shares, stream)
        remarks = ("one: 1 failures", "three: trial did not close its run (exit status 3)")
        self.assertEqual(total, Tally(2, 2, remarks))
        shown = stream.getvalue().decode().splitlines()
        expected = ["-- trial 1 of 3: one", "runs a fails", "Ran 2 tests in 0.1s"]
        self.assertEqual(shown[1:4], expected)
        self.assertEqual(shown[-2:], ["-- trial 3 of 3: three", "runs dies"])

    def _end(self, number: signal.Signals) -> None:
        notes = Path(self.mktemp()).absolute()
        notes.touch()
        waiting = (sys.executable, "-I", "-S", "-c", _WAITING, str(notes))
        with subprocess.Popen(
            [sys.executable, "-m", "tools.trials", *waiting],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            self.addCleanup(end_group, process, 10)
            count = 2 * len(share_out([]))
            wait_until(lambda: notes.read_text().count("\n") == count, 20, "not all wait")
            # As a terminal does: to the whole group.
            os.killpg(process.pid, number)
            self.assertEqual(process.wait(20), 128 + number)
        pids = [int(pid) for pid in notes.read_text().split()]
        wait_until(lambda: not any(map(runs, pids)), 5, "some live")

    def test_interrupted(self) -> None:
        """Ctrl-C ends the trials, and what they wait for."""
        self._end(signal.SIGINT)

    def test_terminated(self) -> None:
        """SIGTERM does the same."""
        self._end(signal.SIGTERM)
