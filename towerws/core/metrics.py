"""Counters and gauges, rendered in the Prometheus text format.

Kept here and not in a library because the counters are bumped on the path of every event: a plain
attribute costs a tenth of what a lock-protected one does, and one process has one thread that
counts. What several processes count is collected from each, labelled, and rendered together. The
format is https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


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


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one metric at one moment: what Prometheus calls a metric family.

    Attributes:
        name: The metric's name.
        kind: ``counter`` or ``gauge``.
        description: One line on what is counted or measured.
        samples: Labels, in the order in which they are to be written, and the value.
    """

    name: str
    kind: str
    description: str
    samples: list[tuple[dict[str, str], float]]

    def as_json(self) -> list[Any]:
        """Give what `json.dumps` takes, and `from_json` takes back."""
        return [self.name, self.kind, self.description, self.samples]

    @classmethod
    def from_json(cls, value: list[Any]) -> "Family":
        """Build a family of what `as_json` gave in another process.

        Args:
            value: The same.
        """
        name, kind, description, samples = value
        return cls(name, kind, description, [(labels, number) for labels, number in samples])

    def labelled(self, **labels: str) -> "Family":
        """Say where all samples come from.

        Args:
            **labels: Written before the others.

        Returns:
            The same family with more labels.
        """
        samples = [(labels | own, value) for own, value in self.samples]
        return Family(self.name, self.kind, self.description, samples)


@dataclass(slots=True)
class _Series:
    """What one metric name has, and how each value is read."""

    kind: str
    description: str
    read: dict[tuple[tuple[str, str], ...], Callable[[], float]] = field(default_factory=dict)


class Metrics:
    """The numbers of one server, by name and labels."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._counters: dict[tuple[str, tuple[tuple[str, str], ...]], Counter] = {}

    def counter(self, name: str, description: str, **labels: str) -> Counter:
        """Create a counter, or find the one that has this name and these labels.

        Args:
            name: The metric's name, such as ``towerws_events_dropped_total``.
            description: One line on what is counted.
            **labels: Label values; they must come from a small fixed set, never from a client.

        Returns:
            The counter; keep it, looking it up is not meant for the path of an event.
        """
        pairs = tuple(sorted(labels.items()))
        counter = self._counters.get((name, pairs))
        if counter is None:
            counter = self._counters[name, pairs] = Counter()
            self._named(name, "counter", description).read[pairs] = lambda: counter.value
        return counter

    def gauge(self, name: str, description: str, read: Callable[[], float], **labels: str) -> None:
        """Register a number that goes up and down.

        Args:
            name: The metric's name, such as ``towerws_connections``.
            description: One line on what is measured, with its unit.
            read: Called at each collection for the present value.
            **labels: As with `counter`.
        """
        self._named(name, "gauge", description).read[tuple(sorted(labels.items()))] = read

    def collect(self) -> list[Family]:
        """Read all metrics.

        Returns:
            The families, in the order in which the metrics were registered.
        """
        return [
            Family(
                name,
                series.kind,
                series.description,
                [(dict(pairs), read()) for pairs, read in series.read.items()],
            )
            for name, series in self._series.items()
        ]

    def render(self) -> str:
        """Write all metrics as Prometheus text; see `render`."""
        return render(self.collect())

    def _named(self, name: str, kind: str, description: str) -> _Series:
        return self._series.setdefault(name, _Series(kind, description))


def render(families: Iterable[Family]) -> str:
    """Write metrics as Prometheus text.

    Args:
        families: Of one process or of several; those of the same name are written as one.

    Returns:
        The page, in the order in which the names come first.
    """
    heads: dict[str, Family] = {}
    samples: dict[str, list[str]] = {}
    for family in families:
        heads.setdefault(family.name, family)
        samples.setdefault(family.name, []).extend(
            f"{family.name}{_render_labels(labels)} {value}" for labels, value in family.samples
        )
    lines = []
    for name, head in heads.items():
        lines.append(f"# HELP {name} {head.description}")
        lines.append(f"# TYPE {name} {head.kind}")
        lines.extend(samples[name])
    return "\n".join(lines) + "\n"


def _render_labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return "{" + pairs + "}"
