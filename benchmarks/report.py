"""The results as Markdown, for docs/performance.md."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.cells import BURSTS, DEFLATED, LARGE, PACED, SPREAD, SUBSCRIBERS, Run, Work
from benchmarks.measure import Spread
from benchmarks.results import Entry, Results
from benchmarks.rivals.towerws import NO_HISTORY, VARIANTS


def markdown(results: Results) -> str:
    """Write all tables.

    Args:
        results: What was measured.
    """
    measured = [entry for entry in results.entries if entry.runs]
    sections = [
        _conditions(results),
        _client(measured),
        _cpu(results.entries),
        _latency(measured),
        _memory(results.entries),
        _compression(measured),
        _replay(measured),
        _remarks(results.entries),
        _versions(results.entries),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(spread: Spread | None, digits: int = 2) -> str:
    if spread is None:
        return "-"
    median, low, high = (
        f"{value:.{digits}f}" for value in (spread.median, spread.low, spread.high)
    )
    return f"{median} ({low} to {high})"


def _conditions(results: Results) -> str:
    return "; ".join(f"{name}: {value}" for name, value in results.conditions.items())


def _client(entries: Sequence[Entry]) -> str:
    """Say what the load itself costs: it has to be able to keep up."""
    spreads = [entry.spread(PACED.key, lambda run: run.client_us) for entry in entries]
    medians = [spread.median for spread in spreads if spread is not None]
    if not medians:
        return ""
    return (
        f"The load client and the publisher in it used {min(medians):.1f} to {max(medians):.1f} µs "
        "of CPU per delivery of single events (medians by server)."
    )


def _cpu(entries: Sequence[Entry]) -> str:
    def sums(entry: Entry, work: Work) -> str:
        return _figure(entry.spread(work.key, entry.cpu))

    def median(entry: Entry, figure: Callable[[Run], float]) -> str:
        spread = entry.spread(PACED.key, figure)
        return "-" if spread is None else f"{spread.median:.2f}"

    rows = [
        [
            entry.name,
            str(entry.rate),
            f"**{sums(entry, PACED)}**" if entry.runs.get(PACED.key) else _not_measured(entry),
            median(entry, lambda run: run.server_us),
            median(entry, lambda run: run.broker_us),
            _ratio(entry, entries),
            f"**{sums(entry, BURSTS)}**" if entry.runs.get(BURSTS.key) else "-",
            _lost(entry),
            str(max(map(len, entry.runs.values()), default=0)),
        ]
        for entry in entries
    ]
    header = [
        *("server", "deliveries/s asked", "µs of CPU per delivery, paced", "its server"),
        *("its broker", "times the floor", "in bursts of 16", "lost", "runs"),
    ]
    return _table(header, rows)


def _not_measured(entry: Entry) -> str:
    return f"not measured: {_cell(entry.failure)}" if entry.failure else "-"


def _cell(text: str) -> str:
    """Fit a text into a cell of a table."""
    return " ".join(text.split()).replace("|", "/")[:300]


def _ratio(entry: Entry, entries: Sequence[Entry]) -> str:
    floor = next((other for other in entries if other.key == "floor"), None)
    base = floor and floor.spread(PACED.key, floor.cpu)
    own = entry.spread(PACED.key, entry.cpu)
    return f"{own.median / base.median:.2f}" if base and own else "-"


def _lost(entry: Entry) -> str:
    runs = [run for runs in entry.runs.values() for run in runs]
    lost, sent = sum(run.lost for run in runs), sum(run.deliveries + run.lost for run in runs)
    return f"{lost} of {sent}" if runs else "-"


def _latency(entries: Sequence[Entry]) -> str:
    rows = []
    for entry in entries:
        cells = [
            _figure(entry.spread(work.key, figure), 1)
            for work in (SPREAD, PACED)
            for figure in _LATENCIES
        ]
        rows.append([entry.name, str(entry.rate), *cells])
    hundred = SUBSCRIBERS // SPREAD.groups
    header = ["ms from publishing to arrival", "deliveries/s"]
    for reach in (hundred, SUBSCRIBERS):
        header += [f"each event to {reach}: p50", "p99", "max"]
    return _table(header, rows)


_LATENCIES: tuple[Callable[[Run], float], ...] = (
    lambda run: run.p50_ms,
    lambda run: run.p99_ms,
    lambda run: run.max_ms,
)


def _memory(entries: Sequence[Entry]) -> str:
    rows = [
        [
            entry.name,
            str(entry.memory.connections),
            f"{entry.memory.server_kib:.1f}",
            f"{entry.memory.per_second:.0f}",
            f"{entry.memory.idle_ms:.1f}",
        ]
        for entry in entries
        if entry.memory is not None
    ]
    header = [
        *("server", "idle connections", "KiB of memory each"),
        *("connections/s", "ms of CPU per idle second"),
    ]
    return _table(header, rows) if rows else ""


def _compression(entries: Sequence[Entry]) -> str:
    rows = []
    for entry in entries:
        plain = entry.spread(LARGE.key, entry.cpu)
        deflated = entry.spread(DEFLATED.key, entry.cpu)
        if plain and deflated:
            ratio = f"{deflated.median / plain.median:.2f}"
            rows.append([entry.name, _figure(plain), _figure(deflated), ratio])
    header = ["µs of CPU per delivery, events of 4 KiB", "plain", "permessage-deflate", "ratio"]
    return _table(header, rows) if rows else ""


def _replay(entries: Sequence[Entry]) -> str:
    """Compare the variants of towerws: what it costs to keep events, and to send positions."""
    variants = sorted(
        (entry for entry in entries if entry.key in VARIANTS),
        key=lambda entry: VARIANTS.index(entry.key),
    )
    plain = next((entry for entry in variants if entry.key == NO_HISTORY), None)
    if plain is None or len(variants) < 2:
        return ""
    works = (PACED, SPREAD, BURSTS)
    rows = []
    for entry in variants:
        cells = [entry.name]
        for work in works:
            cells.append(_figure(entry.spread(work.key, entry.cpu)))
            cells.append(_figure(_ratios(entry, plain, work)))
        rows.append(cells)
    header = ["µs of CPU per delivery"]
    for what in ("single events to 1,000", "single events to 100", "bursts of 16 to 1,000"):
        header += [what, "times no history"]
    return _table(header, rows)


def _ratios(entry: Entry, plain: Entry, work: Work) -> Spread | None:
    """Divide round by round: what the machine did meanwhile is in both figures of a round."""
    pairs = zip(entry.runs.get(work.key, ()), plain.runs.get(work.key, ()), strict=False)
    ratios = [entry.cpu(own) / plain.cpu(base) for own, base in pairs]
    return Spread.of(ratios) if ratios else None


def _remarks(entries: Sequence[Entry]) -> str:
    return "\n".join(line for entry in entries for line in _remarks_on(entry))


def _remarks_on(entry: Entry) -> Iterator[str]:
    if entry.failure:
        yield f"* {entry.name}: {' '.join(entry.failure.split())}"
    for work, runs in entry.runs.items():
        remarks = [remark for run in runs for remark in run.remarks]
        for remark in dict.fromkeys(remarks):
            yield f"* {entry.name}, {work}: {remark} ({remarks.count(remark)} of {len(runs)} runs)"


def _versions(entries: Sequence[Entry]) -> str:
    return "\n".join(
        f"* {entry.name}: {entry.version}; events come by {entry.way_in}"
        for entry in entries
        if entry.version
    )
