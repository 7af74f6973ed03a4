"""Runs all tests in several trials side by side, which takes half the time of one.

Run as `python3 -m tools.trials [--units] COMMAND...`: COMMAND runs trial and gets the names of the
test modules at its end; `--units` leaves out those that start brokers and servers. Much of the
time of a serial run is waiting, for brokers that start and for deadlines that pass, and the rest
can use a second core.

The modules are shared out by what they share: a process starts its own brokers and servers, once.
`trial --jobs` shares out test by test, so that each worker would start all of them; besides, it
drops `python -b`, puts the checkout on PYTHONPATH, where the test of the installed package must
not find it, and keeps to itself what tests print.

What a trial prints is shown as it comes, one trial after the other. The last line counts all
tests; the exit status is 0 only when every trial's was. Interrupted or terminated, it kills the
trials: one that is interrupted may go on with its next test. What they have started is ended by
the guards that it has. Needs nothing but the standard library.
"""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from tools.ci_summary import Tally

ROOT = Path(__file__).resolve().parent.parent

#: What ends a run, and with it the trials.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: The package of the tests that start processes.
INTEGRATION = "tests.integration"

#: Trials of the other modules: one for each core that a developer's machine has at least.
UNITS = ("units", "more units")

#: Modules of that package by the broker that most of their tests need. The others start servers,
#: and only they may use a fixed port.
BROKERS: Mapping[str, frozenset[str]] = {
    "broker": frozenset(
        {
            "test_amqp_client",
            "test_amqp_connect",
            "test_awxkit",
            "test_broker",
            "test_broker_linger",
            "test_broker_login",
            "test_broker_overflow",
            "test_listen",
            "test_notify",
            "test_revoke",
            "test_secrets",
            "test_stream",
        }
    ),
    "broker that suffers": frozenset(
        {
            "test_amqp_operator",
            "test_broker_loss",
            "test_notify_away",
            "test_rabbitmq_node",
            "test_stream_loss",
        }
    ),
    "broker in chaos": frozenset({"test_chaos"}),
}

_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
_CLOSING = re.compile(r"^(PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_FIGURE = re.compile(r"(\w+)=(\d+)")

#: How often it looks for more to show, in seconds.
_PAUSE = 0.1


def share_out(modules: Iterable[str]) -> dict[str, list[str]]:
    """Share out test modules.

    Args:
        modules: Their names, such as `tests.core.test_hub`.

    Returns:
        The names in order by the name of the share.
    """
    shares: dict[str, list[str]] = {name: [] for name in (*UNITS, "servers", *BROKERS)}
    # There and back: the modules of one name, such as tests.test_packaging, are not of one size.
    turns = itertools.cycle((*UNITS, *reversed(UNITS)))
    for module in sorted(modules):
        package, _, last = module.rpartition(".")
        if package != INTEGRATION:
            shares[next(turns)].append(module)
        else:
            users = (name for name, members in BROKERS.items() if last in members)
            shares[next(users, "servers")].append(module)
    return shares


def find_modules() -> list[str]:
    """Name all test modules of the checkout."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "tests").rglob("test_*.py")
    ]


def count_tests(name: str, log: str, status: int) -> Tally:
    """Count the tests of a trial.

    Args:
        name: Its name, for the remarks.
        log: What it printed.
        status: The exit status it ended with.

    Returns:
        The tests that succeeded, and everything else as failed. A trial without its closing
        lines, one without a test, and one that failed although all tests passed have one failure
        more than their tests tell.
    """
    ran = _RAN.findall(log)
    closings = _CLOSING.findall(log)
    if len(ran) != 1 or len(closings) != 1:
        return Tally(0, 1, (f"{name}: trial did not close its run (exit status {status})",))
    figures = {kind: int(number) for kind, number in _FIGURE.findall(closings[0][1])}
    passed = figures.pop("successes", 0)
    failed = sum(figures.values())
    remarks = tuple(f"{name}: {number} {kind}" for kind, number in figures.items())
    if passed + failed < int(ran[0]) or not passed + failed:
        remarks += (f"{name}: {ran[0]} ran, {passed + failed} are accounted for",)
        failed += 1
    if status and not failed:
        remarks += (f"{name}: all passed, but trial ended with exit status {status}",)
        failed += 1
    return Tally(passed, failed, remarks)


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that runs, or has.

    Attributes:
        name: What its tests share.
        process: The process, in a group of its own.
        output: The file that it writes to.
    """

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    def follow(self, stream: BinaryIO) -> None:
        """Show what it prints until it has ended.

        Args:
            stream: Where to.
        """
        with self.output.open("rb") as printed:
            ended = False
            while not ended:
                # In this order: what it printed at last is there when it has ended.
                ended = self.process.poll() is not None
                stream.write(printed.read())
                stream.flush()
                if not ended:
                    time.sleep(_PAUSE)

    def count(self) -> Tally:
        """Count its tests; it has ended."""
        log = self.output.read_text(encoding="utf-8", errors="replace")
        return count_tests(self.name, log, self.process.returncode)

    def kill(self) -> None:
        """Let it die, and the commands that it waits for."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def running(command: Sequence[str], shares: Mapping[str, Sequence[str]]) -> Iterator[list[Trial]]:
    """Run trials; they have ended when the context ends, killed if need be.

    Args:
        command: What to run, without names of tests.
        shares: Names of tests by the name of the trial.
    """
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="towerws-trials-") as directory:
        try:
            for number, (name, tests) in enumerate(shares.items()):
                output = Path(directory, str(number))
                with output.open("wb") as file:
                    process = subprocess.Popen(  # noqa: S603 - as given to main
                        [*command, *tests],
                        stdin=subprocess.DEVNULL,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        # Ctrl-C is for this process alone, and ends the group.
                        process_group=0,
                    )
                trials.append(Trial(name, process, output))
            yield trials
        finally:
            for trial in trials:
                trial.kill()


def run(command: Sequence[str], shares: Mapping[str, Sequence[str]], stream: BinaryIO) -> Tally:
    """Run trials side by side, and show what they print.

    Args:
        command: What to run, without names of tests.
        shares: Names of tests by the name of the trial.
        stream: Where to show it.

    Returns:
        All tests.
    """
    total = Tally(0, 0)
    with running(command, shares) as trials:
        for number, trial in enumerate(trials, 1):
            stream.write(f"\n-- trial {number} of {len(trials)}: {trial.name}\n".encode())
            trial.follow(stream)
            total += trial.count()
    return total


def _terminate(number: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that the trials do; a second signal is not to interrupt that."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main(command: Sequence[str]) -> int:
    """Run all tests and print what failed, then the line that counts.

    Args:
        command: What to run, without names of tests; `--units` before it.

    Returns:
        The exit status: 0 when something passed and nothing failed, 1 otherwise, 128 more than the
        number of the signal when one ended the run.
    """
    for number in _SIGNALS:
        signal.signal(number, _terminate)
    shares = share_out(find_modules())
    if command[0] == "--units":
        command, shares = command[1:], {name: shares[name] for name in UNITS}
    total = run(command, shares, sys.stdout.buffer)
    print()
    for remark in total.remarks:
        print(remark)
    print(total)
    return 0 if total.green else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
