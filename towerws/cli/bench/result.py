"""What came out of a load test: the figures, and what to make of them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import towerws
from towerws.cli.bench.histogram import Histogram
from towerws.cli.bench.lag import LagMeter
from towerws.cli.bench.observations import Observations
from towerws.cli.bench.plan import Plan
from towerws.cli.bench.publishing import Publishing
from towerws.cli.bench.subscriber import Subscriber

#: A process that used this much of a core had no more to give: it is one thread, nearly.
_SATURATED = 0.9

#: Lags below this many milliseconds are any program's.
_USUAL_LAG = 2.0

#: Publishing that is later than this many milliseconds is behind its schedule.
_LATE = 100.0

_PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}


def milliseconds(durations: Histogram) -> dict[str, float | None]:
    """Sum up durations.

    Args:
        durations: In nanoseconds.

    Returns:
        Percentiles in milliseconds by their names; None for each if there are no durations.
    """
    return {
        name: round(durations.percentile(percent) / 1e6, 3) if durations.count else None
        for name, percent in _PERCENTILES.items()
    }


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What became of the events; one event that is to reach ten connections is ten deliveries.

    Attributes:
        delivered: How many came.
        lost: How many of the published ones did not.
        duplicated: How many came once more.
        reordered: How many came behind a later one.
    """

    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0

    @classmethod
    def of(cls, subscribers: Iterable[Subscriber], publishing: Publishing) -> Self:
        """Compare what was published with what came.

        Args:
            subscribers: All connections; those that were never subscribed do not count.
            publishing: What was published after they had subscribed.

        Returns:
            The comparison.
        """
        delivered = lost = duplicated = reordered = 0
        for subscriber in subscribers:
            if subscriber.subscribed:
                tally = subscriber.tally
                delivered += tally.received
                lost += publishing.missing(subscriber.group, tally)
                duplicated += tally.duplicated
                reordered += tally.reordered
        return cls(delivered, lost, duplicated, reordered)


@dataclass(slots=True)
class Result:
    """A load test that is over, or as far as it came.

    Attributes:
        plan: What was asked for.
        server: What to call the server.
        seen: What the connections saw.
        published: What was published.
        meter: How busy this process was meanwhile.
        deliveries: What became of the events.
        interrupted: Whether it was ended before its time.
    """

    plan: Plan
    server: str
    seen: Observations
    published: Publishing
    meter: LagMeter
    deliveries: Deliveries = field(default_factory=Deliveries)
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything happened that was asked for, and nothing was lost."""
        deliveries = self.deliveries
        unwanted = deliveries.lost + deliveries.duplicated + deliveries.reordered
        complete = (
            self.seen.subscribed.count == self.plan.connections
            and self.published.published == self.plan.events
        )
        seen = self.seen
        return complete and not (unwanted or seen.lost or seen.gaps or seen.surplus)

    @property
    def per_second(self) -> float:
        """Timed deliveries per second, up to the last one or the end of publishing."""
        seconds = (max(self.seen.last, self.seen.end) - self.seen.begin) / 1e9
        return self.seen.latency.count / seconds if seconds > 0 else 0.0

    @property
    def notes(self) -> list[str]:
        """What a reader of the figures should know, a sentence each."""
        notes = [f"the server says: {words} ({many}x)" for words, many in self.seen.errors.items()]
        lag, latency = milliseconds(self.meter.lag)["p99"], milliseconds(self.seen.latency)["p99"]
        if self.meter.cpu_share >= _SATURATED:
            notes.append(
                f"the load generator used {self.meter.cpu_share:.0%} of a core: it was the "
                "bottleneck, and the latencies are its own"
            )
        elif lag and latency and lag > max(_USUAL_LAG, latency / 4):
            notes.append(
                f"the load generator itself was late by up to {lag:.1f} ms (p99), for want of "
                "CPU: the latencies are not the server's alone"
            )
        behind = milliseconds(self.published.behind)["p99"]
        if behind and behind > _LATE:
            confirm = milliseconds(self.published.confirm)["p50"]
            notes.append(
                f"publishing was up to {behind:,.0f} ms behind its schedule (p99): a publisher "
                f"waits {confirm or 0:.1f} ms (p50) for each confirmation; more --publishers may "
                "help"
            )
        if self.published.published and not self.deliveries.delivered and self.deliveries.lost:
            notes.append("nothing arrived: do --url and --ws-url belong to the same installation?")
        if self.seen.surplus:
            notes.append(f"{self.seen.surplus} frames were neither events of the test nor answers")
        return notes

    def document(self) -> dict[str, Any]:
        """Give everything for programs to read; durations are in milliseconds."""
        seen, published, deliveries = self.seen, self.published, self.deliveries
        return {
            "towerws": towerws.__version__,
            "server": self.server,
            "ok": self.ok,
            "interrupted": self.interrupted,
            "plan": asdict(self.plan),
            "connections": {
                "subscribed": seen.subscribed.count,
                "failed": dict(seen.failed),
                "lost": dict(seen.lost),
                "gaps": dict(seen.gaps),
                "open_ms": milliseconds(seen.opened),
                "subscribed_ms": milliseconds(seen.subscribed),
            },
            "events": {
                "planned": self.plan.events,
                "published": published.published,
                "failed": dict(published.failures),
                "confirmed_ms": milliseconds(published.confirm),
                "behind_ms": milliseconds(published.behind),
            },
            "deliveries": {
                "expected": deliveries.delivered + deliveries.lost,
                **asdict(deliveries),
                "per_second": round(self.per_second, 1),
                "latency_ms": milliseconds(seen.latency),
            },
            "generator": {
                "cpu_share": round(self.meter.cpu_share, 3),
                "lag_ms": milliseconds(self.meter.lag),
            },
            "notes": self.notes,
        }
