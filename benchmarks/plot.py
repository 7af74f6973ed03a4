"""The plot of docs/performance.md: ``python -m benchmarks.plot RESULTS.json PLOT.svg``.

Runs in the rivals' own environment, where matplotlib is.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.cells import BURSTS, PACED, SPREAD, SUBSCRIBERS
from benchmarks.measure import Spread
from benchmarks.results import Entry, Results

#: Of ColorBrewer and Okabe-Ito, to be told apart without seeing red and green.
_OURS, _FLOOR, _THEIRS = "#0072b2", "#555555", "#d55e00"

#: Two figures of one server stand this much above and below its row.
_APART = 0.17


def _color(entry: Entry) -> str:
    if entry.key.startswith("towerws"):
        return _OURS
    return _FLOOR if entry.key.startswith("floor") else _THEIRS


def _dots(
    axes: Axes,
    entries: Sequence[Entry],
    figure: Callable[[Entry], Spread | None],
    *,
    filled: bool,
    offset: float = 0.0,
) -> None:
    """Draw a dot for each median, a line from the lowest to the highest, and the median's value."""
    for row, entry in enumerate(entries):
        spread = figure(entry)
        if spread is None:
            continue
        color, at = _color(entry), row + offset
        axes.plot([spread.low, spread.high], [at, at], color=color, linewidth=2.5, alpha=0.5)
        face = color if filled else "white"
        axes.plot(spread.median, at, "o", color=color, markerfacecolor=face, markersize=6)
        axes.annotate(
            f"{spread.median:.3g}" if spread.median < 100 else f"{spread.median:.0f}",
            (spread.high, at),
            xytext=(7, -3),
            textcoords="offset points",
            fontsize=8,
        )


def _label(entry: Entry, usual: int) -> str:
    return entry.name if entry.rate == usual else f"{entry.name}\nat {entry.rate} deliveries/s"


def draw(results: Results) -> Figure:
    """Draw CPU, latency and memory side by side, a row for each server that was measured.

    Args:
        results: What was measured.
    """
    entries = [entry for entry in results.entries if entry.runs]
    usual = max((entry.rate for entry in entries), default=0)
    figure = Figure(figsize=(12, 1.6 + 0.55 * len(entries)), layout="constrained")
    cpu, latency, memory = figure.subplots(1, 3, sharey=True, width_ratios=[4, 3, 3])
    _dots(cpu, entries, lambda e: e.spread(PACED.key, e.cpu), filled=True, offset=-_APART)
    _dots(cpu, entries, lambda e: e.spread(BURSTS.key, e.cpu), filled=False, offset=_APART)
    cpu.set_title(f"µs of CPU per delivery\n● one event, ○ bursts of {BURSTS.burst}")
    _dots(latency, entries, _p99, filled=True, offset=-_APART)
    _dots(latency, entries, _p50, filled=False, offset=_APART)
    reach = SUBSCRIBERS // SPREAD.groups
    latency.set_title(f"ms from publishing to arrival\n● p99, ○ p50; each event to {reach}")
    _dots(memory, entries, _memory, filled=True)
    memory.set_title("KiB of memory\nper idle connection")
    for axes in (cpu, latency, memory):
        axes.set_xscale("log")
        axes.margins(x=0.22)
        axes.grid(axis="x", color="#dddddd")
        axes.set_axisbelow(True)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    cpu.set_yticks(range(len(entries)), [_label(entry, usual) for entry in entries])
    cpu.set_ylim(len(entries) - 0.5, -0.6)
    where, when = results.conditions["processor"], results.conditions["began"][:10]
    figure.supxlabel(
        f"{SUBSCRIBERS} subscribers, {PACED.size} bytes, {usual} deliveries/s unless said; "
        f"logarithmic scales; {where}, {when}",
        fontsize=8,
    )
    return figure


def _p99(entry: Entry) -> Spread | None:
    return entry.spread(SPREAD.key, lambda run: run.p99_ms)


def _p50(entry: Entry) -> Spread | None:
    return entry.spread(SPREAD.key, lambda run: run.p50_ms)


def _memory(entry: Entry) -> Spread | None:
    memory = entry.memory
    # Less than a KiB is noise, and a logarithmic scale has no zero.
    return None if memory is None or memory.server_kib < 1 else Spread.of([memory.server_kib])


def main() -> None:
    """Read the results and write the plot."""
    results, plot = map(Path, sys.argv[1:])
    mpl.rcParams["svg.hashsalt"] = "towerws"
    draw(Results.load(results)).savefig(plot, metadata={"Date": None})


if __name__ == "__main__":
    main()
