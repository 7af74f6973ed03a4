"""Counts what a CI run did and prints the line that says so.

Run as `python3 -m tools.ci_summary LOG NAME=STATUS...`: LOG is what the step `tests` printed, with
the line of `tools.trials` in it that counts tests; each NAME=STATUS is a step and the exit status
it ended with. Every test counts once, and so does every other step. A step that stopped before it
could count tests is one that failed.

Needs nothing but the standard library, so that it can report on an environment that was not made.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: The step whose tests are counted one by one.
TESTS = "tests"

_TOTAL = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)


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

    @property
    def green(self) -> bool:
        """Whether something passed and nothing failed."""
        return self.passed > 0 and not self.failed

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def read_total(log: str, status: int) -> Tally:
    """Read how many tests passed and failed.

    Args:
        log: What the step `tests` printed.
        status: The exit status it ended with.

    Returns:
        What the line says that counts, if there is one, and that fits the status; one failure if
        not.
    """
    totals = _TOTAL.findall(log)
    if len(totals) != 1:
        return Tally(0, 1, (f"{TESTS}: nothing counted them (exit status {status})",))
    passed, failed = totals[0]
    tally = Tally(int(passed), int(failed))
    if tally.failed:
        return tally + Tally(0, 0, (f"{TESTS}: {tally.failed} failed",))
    if status or not tally.passed:
        remark = f"{TESTS}: {tally}, and the exit status is {status}"
        return tally + Tally(0, 1, (remark,))
    return tally


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
            total += read_total(log, status)
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
    return 0 if total.green else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
