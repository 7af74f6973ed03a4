"""What processes cost, read from /proc, and how a set of figures is summed up."""

import math
import os
import resource
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")

_CORES = sorted(os.sched_getaffinity(0))
#: The core that servers run on, and the one for the load and for brokers that only feed a server.
#: They are the same one on a machine that has no other.
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let this process, and those that are started meanwhile for good, run on one core.

    Args:
        core: Its number.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_files(count: int) -> int:
    """Raise the limit of open files, for this process and those it starts.

    Args:
        count: What is wanted.

    Returns:
        What is allowed now, which is less where the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return max(soft, allowed)


def tree(roots: Iterable[int]) -> list[int]:
    """Find processes and all that they started.

    Args:
        roots: Process ids.

    Returns:
        These, and those of their children, and so on.
    """
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = list(roots)
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


@dataclass(frozen=True, slots=True)
class CPU:
    """How much CPU each process of a server has used so far, in nanoseconds.

    Attributes:
        scheduled: The scheduler's account, of all threads, by process.
        accounted: utime + stime of the same processes, which count in ticks.
    """

    scheduled: dict[int, int]
    accounted: dict[int, int]

    @classmethod
    def read(cls, roots: Sequence[int]) -> Self:
        """Read the CPU of processes and all that they started.

        Raises:
            FileNotFoundError: One of the processes, not of what they started, is gone.
        """
        scheduled, accounted = {}, {}
        for pid in tree(roots):
            try:
                scheduled[pid], accounted[pid] = _scheduled(pid), _accounted(pid)
            except (FileNotFoundError, ProcessLookupError):
                if pid in roots:
                    raise
        return cls(scheduled, accounted)

    def since(self, before: Self) -> int:
        """Say what was used since an earlier reading, in nanoseconds.

        What a process has used that ended in between is missing; see `doubts`.

        Args:
            before: The earlier one.
        """
        return sum(used - before.scheduled.get(pid, 0) for pid, used in self.scheduled.items())

    def doubts(self, before: Self) -> str:
        """Say what speaks against the result of `since`; empty if nothing does.

        Args:
            before: The earlier one.
        """
        if before.scheduled.keys() - self.scheduled.keys():
            return "a process of the server ended meanwhile"
        used = self.since(before)
        accounted = sum(self.accounted.values()) - sum(before.accounted.values())
        # utime and stime are cut to whole ticks, each at both ends.
        if abs(used - accounted) > 2 * _TICK_NS * len(self.accounted) + 0.05 * used:
            return f"schedstat says {used / 1e6:.0f} ms, utime + stime {accounted / 1e6:.0f} ms"
        return ""


def _scheduled(pid: int) -> int:
    tasks = (_PROC / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def _accounted(pid: int) -> int:
    stat = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2]
    utime, stime = stat.split()[11:13]
    return (int(utime) + int(stime)) * _TICK_NS


def resident(roots: Sequence[int]) -> int:
    """Measure the memory of processes and all that they started, in bytes.

    A page that several of them share counts once: it is the proportional set size (Pss).
    """
    return sum(_pss(pid) for pid in tree(roots))


def _pss(pid: int) -> int:
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"/proc/{pid}/smaps_rollup does not say Pss")


def percentile(ordered: Sequence[int], share: float) -> int:
    """Give the smallest value that at least a share of all values do not exceed.

    Args:
        ordered: The values, ascending; at least one.
        share: From 0 to 1.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """The runs of one figure.

    Attributes:
        median: The middle one.
        low: The lowest.
        high: The highest.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def runs(values: Sequence[float], unit: str) -> str:
    """Write a figure as the tables that are printed have it.

    Args:
        values: Those of all runs; at least one.
        unit: Such as ``ms``.

    Returns:
        The median, the spread, and each run.
    """
    spread = Spread.of(values)
    each = " ".join(f"{value:.1f}" for value in values)
    return f"{spread.median:8.1f} {unit:3} ({spread.low:.1f} to {spread.high:.1f}: {each})"
