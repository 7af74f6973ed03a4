"""Counters and gauges, rendered in the Prometheus text format.

Kept here and not in a library because the counters are bumped on the path of every event: a plain
attribute costs a tenth of what a lock-protected one does, and one process has one thread that
counts. The format is https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version
0.0.4).
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counter:
    """A number that only grows.

    Attributes:
        value: How often it happened since the process started.
    """

    value: int = 0

    def add(self, amount: int = 1) -> None:
        """Count something.

        Args:
            amount: How many times it happened.
        """
        self.value += amount


@dataclass(slots=True)
class _Family:
    """All series of one metric name: what Prometheus calls a metric family."""

    kind: str
    description: str
    series: dict[str, Callable[[], float]] = field(default_factory=dict)


class Metrics:
    """The numbers of one server, by name and labels."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}
        self._counters: dict[tuple[str, str], Counter] = {}

    def counter(self, name: str, description: str, **labels: str) -> Counter:
        """Create a counter, or find the one that has this name and these labels.

        Args:
            name: The metric's name, such as ``towerws_events_dropped_total``.
            description: One line on what is counted.
            **labels: Label values; they must come from a small fixed set, never from a client.

        Returns:
            The counter; keep it, looking it up is not meant for the path of an event.
        """
        rendered = _render_labels(labels)
        counter = self._counters.get((name, rendered))
        if counter is None:
            counter = self._counters[name, rendered] = Counter()
            self._family(name, "counter", description).series[rendered] = lambda: counter.value
        return counter

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Register a number that goes up and down.

        Args:
            name: The metric's name, such as ``towerws_connections``.
            description: One line on what is measured, with its unit.
            read: Called at each rendering for the present value.
        """
        self._family(name, "gauge", description).series[""] = read

    def render(self) -> str:
        """Write all metrics as Prometheus text.

        Returns:
            The page, in the order in which the metrics were registered.
        """
        lines = []
        for name, family in self._families.items():
            lines.append(f"# HELP {name} {family.description}")
            lines.append(f"# TYPE {name} {family.kind}")
            lines.extend(f"{name}{labels} {read()}" for labels, read in family.series.items())
        return "\n".join(lines) + "\n"

    def _family(self, name: str, kind: str, description: str) -> _Family:
        return self._families.setdefault(name, _Family(kind, description))


def _render_labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return "{" + pairs + "}"
