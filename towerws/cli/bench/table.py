"""What came out of a load test, for people."""

from collections.abc import Iterator, Mapping

from towerws.cli.bench.histogram import Histogram
from towerws.cli.bench.result import Result, milliseconds
from towerws.cli.render import neutralise

_NAME, _FIGURE = 24, 10


def table(result: Result) -> str:
    """Write the figures as a table.

    Args:
        result: The load test.

    Returns:
        Lines without control characters, with an end behind the last one.
    """
    return "".join(neutralise(line).rstrip() + "\n" for line in _lines(result))


def _lines(result: Result) -> Iterator[str]:
    plan, seen, published = result.plan, result.seen, result.published
    deliveries = result.deliveries
    yield (
        f"{plan.connections:,} connections to {result.server}, profile {plan.profile}, "
        f"{_many(plan.groups, 'group')}, "
        f"{plan.rate:,g} events/s in each, {plan.size:,} bytes, {plan.seconds:g} s"
        + (f", bursts of {plan.burst}" if plan.burst > 1 else "")
        + (" (interrupted)" if result.interrupted else "")
    )
    yield ""
    yield f"{'connections':{_NAME}}{seen.subscribed.count:,} of {plan.connections:,} subscribed"
    yield from _reasons("failed", seen.failed)
    yield from _reasons("lost", seen.lost)
    yield from _reasons("gaps", seen.gaps)
    yield f"{'events':{_NAME}}{published.published:,} of {plan.events:,} published and confirmed"
    yield from _reasons("failed", published.failures)
    yield (
        f"{'deliveries':{_NAME}}{deliveries.delivered:,} of "
        f"{deliveries.delivered + deliveries.lost:,}, {result.per_second:,.0f} per second"
    )
    yield (
        f"{'':{_NAME}}{deliveries.lost:,} lost, {deliveries.duplicated:,} duplicated, "
        f"{deliveries.reordered:,} out of order"
    )
    yield f"{'load generator':{_NAME}}{result.meter.cpu_share:.0%} of a core"
    yield ""
    heads = "".join(f"{head:>{_FIGURE}}" for head in milliseconds(seen.latency))
    yield f"{'milliseconds':{_NAME}}{heads}"
    yield _durations("latency", seen.latency)
    yield _durations("until confirmed", published.confirm)
    yield _durations("until open", seen.opened)
    yield _durations("until subscribed", seen.subscribed)
    yield _durations("publishing behind", published.behind)
    yield _durations("load generator's lag", result.meter.lag)
    for note in result.notes:
        yield ""
        yield f"note: {note}"


def _reasons(what: str, reasons: Mapping[str, int]) -> Iterator[str]:
    for reason, many in reasons.items():
        yield f"{'':{_NAME}}{many:,} {what}: {reason}"


def _durations(name: str, durations: Histogram) -> str:
    figures = (
        f"{'-' if value is None else f'{value:,.2f}':>{_FIGURE}}"
        for value in milliseconds(durations).values()
    )
    return f"{name:{_NAME}}{''.join(figures)}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
