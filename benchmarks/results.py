"""What a whole run says: collected while it goes on, kept as JSON."""

import json
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from benchmarks.cells import Memory, Run
from benchmarks.environment import ROOT
from benchmarks.measure import LOAD_CORE, SERVER_CORE, Spread


@dataclass(slots=True)
class Entry:
    """One server.

    Attributes:
        key: For the command line.
        name: For the table.
        way_in: How events reach it.
        rate: Deliveries per second that are asked of it.
        broker_counts: Whether the broker's CPU is added to the server's.
        version: What it is made of.
        runs: By work, in the order of the rounds.
        memory: Of idle connections, if measured.
        failure: Why something, or everything, is missing.
    """

    key: str
    name: str
    way_in: str
    rate: int
    broker_counts: bool
    version: str = ""
    runs: dict[str, list[Run]] = field(default_factory=dict)
    memory: Memory | None = None
    failure: str = ""

    def spread(self, work: str, figure: Callable[[Run], float]) -> Spread | None:
        """Sum up a figure of all runs of some work; None without runs."""
        values = [figure(run) for run in self.runs.get(work, ())]
        return Spread.of(values) if values else None

    def cpu(self, run: Run) -> float:
        """Give the CPU per delivery that counts, in microseconds."""
        return run.server_us + (run.broker_us if self.broker_counts else 0.0)


@dataclass(slots=True)
class Results:
    """All servers, and where they were measured.

    Attributes:
        conditions: The machine and the code, by name.
        entries: The servers in the order of the table.
    """

    conditions: dict[str, str]
    entries: list[Entry]

    def save(self, path: Path) -> None:
        """Write all of it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(raw["conditions"], [_entry(entry) for entry in raw["entries"]])


def _entry(raw: dict[str, Any]) -> Entry:
    runs = {work: [Run(**run) for run in runs] for work, runs in raw["runs"].items()}
    memory = raw["memory"] and Memory(**raw["memory"])
    return Entry(**(raw | {"runs": runs, "memory": memory}))


def conditions() -> dict[str, str]:
    """Say where and on what code this is measured."""
    load = os.getloadavg()[0]
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "-s") else ""),
        "processor": _processor(),
        "cores": f"{os.cpu_count()}; servers on {SERVER_CORE}, load on {LOAD_CORE}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{load:.2f}",
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607  # the developer's own
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
