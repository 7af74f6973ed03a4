"""Counts what a CI run did and prints the line that says so.

Run as `python3 -m tools.ci_summary LOG NAME=STATUS...`: LOG is what the step `tests` printed, with
trial's closing lines in it; each NAME=STATUS is a step and the exit status it ended with. Every
test counts once, and so does every other step. What did not run counts as failed: a skipped test,
a test marked to-do, a step that stopped before trial could close.

Needs nothing but the standard library, so that it can report on an environment that was not made.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: The step whose tests are counted one by one.
TESTS = "tests"

_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
_CLOSING = re.compile(r"^(PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_FIGURE = re.compile(r"(\w+)=(\d+)")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many things passed and failed.

    Attributes:
        passed: What ran and was right.
        failed: What was wrong, and what did not run.
        remarks: One sentence for each kind of failure.
    """

    passed: int
    failed: int
    remarks: tuple[str, ...] = ()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.passed + other.passed, self.failed + other.failed, self.remarks + other.remarks
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def count_tests(log: str, status: int) -> Tally:
    """Count the tests of a trial run.

    Args:
        log: What the run printed.
        status: The exit status of the command that ran it.

    Returns:
        The tests that succeeded, and everything else as failed. A run without trial's closing
        lines, one without a test, and one that failed although all tests passed have one failure
        more than their tests tell.
    """
    ran = _RAN.findall(log)
    closings = _CLOSING.findall(log)
    if len(ran) != 1 or len(closings) != 1:
        return Tally(0, 1, (f"{TESTS}: trial did not close its run (exit status {status})",))
    figures = {name: int(number) for name, number in _FIGURE.findall(closings[0][1])}
    passed = figures.pop("successes", 0)
    failed = sum(figures.values())
    remarks = tuple(f"{TESTS}: {number} {name}" for name, number in figures.items())
    if passed + failed < int(ran[0]) or not passed + failed:
        remarks += (f"{TESTS}: {ran[0]} ran, {passed + failed} are accounted for",)
        failed += 1
    if status and not failed:
        remarks += (f"{TESTS}: all passed, but the run ended with exit status {status}",)
        failed += 1
    return Tally(passed, failed, remarks)


def count_steps(log: str, statuses: Mapping[str, int]) -> Tally:
    """Count a whole run.

    Args:
        log: What the step `tests` printed.
        statuses: Exit status of every step by its name, `tests` among them.

    Returns:
        The tests one by one, and one for each other step.
    """
    total = Tally(0, 0)
    for name, status in statuses.items():
        if name == TESTS:
            total += count_tests(log, status)
        elif status:
            total += Tally(0, 1, (f"{name}: exit status {status}",))
        else:
            total += Tally(1, 0)
    return total


def main(arguments: Sequence[str]) -> int:
    """Print what failed, then the line that counts.

    Args:
        arguments: Path of the log, then NAME=STATUS for each step.

    Returns:
        The exit status: 0 when something passed and nothing failed, 1 otherwise.
    """
    path, *steps = arguments
    statuses = {name: int(status) for name, _, status in (step.partition("=") for step in steps)}
    log = Path(path).read_text(encoding="utf-8", errors="replace")
    total = count_steps(log, statuses)
    for remark in total.remarks:
        print(remark)
    print(total)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
