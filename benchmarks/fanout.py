"""Fan-out: towerws beside its rivals, on the same work, in one run.

Run as ``make bench``, or ``python -m benchmarks.fanout`` where everything is installed. It starts
all servers on one core, and from another one, with one load client, lets them take turns; it prints
the tables of docs/performance.md, and leaves the results as JSON and a plot. It ends by itself, and
so does all that it started.
"""

import argparse
import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cells import (
    BURSTS,
    DEFLATED,
    LARGE,
    PACED,
    SPREAD,
    SUBSCRIBERS,
    measure_memory,
    run,
    subscribed,
)
from benchmarks.environment import PYTHON, ROOT
from benchmarks.measure import LOAD_CORE, allow_files
from benchmarks.report import markdown
from benchmarks.results import Entry, Results, conditions
from benchmarks.rivals import Rival, Unavailable
from benchmarks.rivals.all import all_rivals

RESULTS = ROOT / "benchmarks" / "results" / "fanout.json"
PLOT = ROOT / "docs" / "fanout.svg"
PARTIAL = ROOT / "benchmarks" / "results" / "partial.json"

#: What may go wrong with a server that is not ours; the others go on.
_FAILURES = (Unavailable, RuntimeError, OSError, subprocess.SubprocessError)

#: Servers that sustain fewer events than this per second take part in fewer rounds.
_SLOW_PACE = 20
_SLOW_ROUNDS = 3

#: The works of a turn; those in one tuple go on with the same connections.
_PLANS = ((PACED, BURSTS), (SPREAD,), (LARGE,), (DEFLATED,))

#: Connections that belong to one server, beside which it and the load need some other files.
_SPARE_FILES = 500


class Contest:
    """Servers that take turns."""

    def __init__(self, rivals: Sequence[Rival], deadline: float) -> None:
        """Prepare; nothing is started.

        Args:
            rivals: Those that take part.
            deadline: When to begin no further round, in seconds of the monotonic clock.
        """
        self.entries = {
            rival.key: Entry(
                rival.key,
                rival.name,
                rival.way_in,
                rival.pace * SUBSCRIBERS,
                rival.broker_counts,
            )
            for rival in rivals
        }
        self._waiting = list(rivals)
        self._running: list[Rival] = []
        self._deadline = deadline
        self._files = allow_files(1 << 16)

    def start(self, *, memory: bool) -> None:
        """Start all servers, and measure the memory of each while it is fresh."""
        for rival in self._waiting:
            with self._failing(rival):
                _say(f"{rival.name}: starting")
                self._running.append(rival)
                rival.start()
                entry = self.entries[rival.key]
                entry.version = rival.version
                if memory:
                    count = min(rival.idle_connections, self._files - _SPARE_FILES)
                    _say(f"{rival.name}: {count} idle connections")
                    entry.memory = measure_memory(rival, count)

    def play(self, rounds: int) -> None:
        """Let the servers take turns.

        Args:
            rounds: How many turns each gets; slow ones get fewer.
        """
        for number in range(rounds):
            # Not always behind the same one.
            shift = number % max(1, len(self._running))
            for rival in [*self._running[shift:], *self._running[:shift]]:
                if rival.pace < _SLOW_PACE and number >= _SLOW_ROUNDS:
                    continue
                if time.monotonic() > self._deadline:
                    _say("the time is up: the results have fewer runs than they should")
                    return
                _say(f"round {number + 1} of {rounds}: {rival.name}")
                with self._failing(rival):
                    self._turn(rival)

    def stop(self) -> None:
        """Stop all servers."""
        for rival in reversed(self._running):
            try:
                rival.stop()
            except _FAILURES as error:
                _say(f"{rival.name}: {error}")
        self._running.clear()

    def _turn(self, rival: Rival) -> None:
        runs = self.entries[rival.key].runs
        for plan in _PLANS:
            works = [work for work in plan if work.key in rival.works]
            if not works:
                continue
            publisher = rival.publisher()
            try:
                with subscribed(rival, SUBSCRIBERS, works[0]) as subscribers:
                    for work in works:
                        runs.setdefault(work.key, []).append(
                            run(rival, subscribers, publisher, work)
                        )
            finally:
                publisher.close()

    @contextmanager
    def _failing(self, rival: Rival) -> Iterator[None]:
        """Let a server fail without the others: it is stopped, and named with the reason."""
        try:
            yield
        except _FAILURES as error:
            notes = " ".join(getattr(error, "__notes__", ()))
            self.entries[rival.key].failure = f"{error} {notes}".strip() or repr(error)
            _say(f"{rival.name}: {error} {notes}")
            self._running.remove(rival)
            rival.stop()


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and print tables."""
    rivals = all_rivals()
    arguments = _arguments([rival.key for rival in rivals])
    chosen = [rival for rival in rivals if not arguments.only or rival.key in arguments.only]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    faulthandler.dump_traceback_later(arguments.minutes * 60 + 300, exit=True)
    where = conditions()
    contest = Contest(chosen, time.monotonic() + arguments.minutes * 60)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        contest.start(memory=not arguments.no_memory)
        contest.play(arguments.repeats)
    finally:
        contest.stop()
    results = Results(where, list(contest.entries.values()))
    results.save(arguments.results)
    print(markdown(results))
    _say(f"results: {arguments.results}")
    if PYTHON.exists():
        command = [
            str(PYTHON),
            "-m",
            "benchmarks.plot",
            str(arguments.results),
            str(arguments.plot),
        ]
        if subprocess.run(command, cwd=ROOT, timeout=120, check=False).returncode == 0:
            _say(f"plot: {arguments.plot}")


def _arguments(keys: Sequence[str]) -> argparse.Namespace:
    def some(text: str) -> list[str]:
        unknown = set(text.split(",")) - set(keys)
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=some, help=f"some of {','.join(keys)}")
    parser.add_argument("--repeats", type=int, default=5, help="rounds; slow servers get at most 3")
    parser.add_argument("--no-memory", action="store_true", help="leave the idle connections out")
    parser.add_argument("--minutes", type=float, default=14.0, help="begin no turn after that")
    parser.add_argument("--results", type=Path, help="the JSON file to write")
    parser.add_argument("--plot", type=Path, help="the SVG file to write")
    arguments = parser.parse_args()
    # What the documentation shows is replaced by a full run only.
    arguments.results = arguments.results or (PARTIAL if arguments.only else RESULTS)
    arguments.plot = arguments.plot or (
        PLOT if arguments.results == RESULTS else arguments.results.with_suffix(".svg")
    )
    return arguments


if __name__ == "__main__":
    main()
