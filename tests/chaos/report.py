"""What a run of chaos shows: the table, and of what is wrong the smallest useful evidence."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.chaos.checker import Finding, Kind
from tests.chaos.run import Report
from tests.chaos.schedule import Fault
from tests.chaos.track import ClientLog, Remark, show

#: Findings of each kind that are shown, unless told otherwise.
SHOWN = 3

#: Seconds around a finding of which the timeline is shown, and the lines of a client that are.
_AROUND = 4.0
_LINES = 12

_WIDTH = 44


def table(reports: Sequence[Report]) -> str:
    """Give the figures of runs side by side.

    Args:
        reports: One for each mode.

    Returns:
        Lines for people.
    """
    rows: list[tuple[str, list[object]]] = [("", [each.scale.mode for each in reports])]
    rows += _faults(reports)
    rows.append(("", []))
    figures = [_figures(each) for each in reports]
    for title in dict.fromkeys(title for each in figures for title in each):
        rows.append((title, [each.get(title, 0) for each in figures]))
    lines = [
        f"{title:<{_WIDTH}}" + "".join(f"{_written(value):>12}" for value in values)
        for title, values in rows
    ]
    lines += [
        f"No partition with a network namespace: {each.no_cable}"
        for each in reports
        if each.no_cable
    ]
    return "\n".join(line.rstrip() for line in lines)


def evidence(report: Report, shown: int = SHOWN) -> str:
    """Show what is wrong with a run, and what happened around it.

    Args:
        report: Of the run.
        shown: How many of each kind are shown; the others are counted.

    Returns:
        Lines for people; empty if nothing is wrong.
    """
    lines = [f"{report.scale.mode}: {each}" for each in report.complaints[:shown]]
    if report.gaps_without_reason:
        lines += list(_gaps(report))
    lines += list(_lost_by_broker(report))
    for log in [log for log in report.logs if log.faults][:shown]:
        time, text = log.faults[0]
        lines += [f"{report.scale.mode}: {log.name}, protocol: {text}"]
        lines += _timeline(report, log, time, time)
    count = Counter[Kind]()
    for log, finding in report.findings:
        count[finding.kind] += 1
        if count[finding.kind] <= shown:
            lines += list(_finding(report, log, finding))
    lines += [f"{report.scale.mode}: {n} findings: {kind.value}" for kind, n in count.items()]
    return "\n".join(lines)


def _faults(reports: Sequence[Report]) -> Iterator[tuple[str, list[object]]]:
    counts = [Counter(each.fault for each in r.happenings if each.is_done) for r in reports]
    for fault in Fault:
        if any(count[fault] for count in counts):
            yield fault.title, [count[fault] for count in counts]
    yield "faults in all", [count.total() for count in counts]


def _figures(report: Report) -> dict[str, object]:
    total, truth = report.total, report.truth
    ends: Counter[str] = Counter()
    for log in report.logs:
        ends.update(log.ends)
    events = sum(len(each.entries) for each in truth.published.values())
    lost = total.count(Kind.LOST)
    return {
        "clients": len(report.logs),
        "events published": events,
        "attempts that were never confirmed": sum(
            each.confirmed is None for all_ in report.record.attempts.values() for each in all_
        ),
        "attempts that could not be routed": report.record.returned,
        "confirmed, but not in the stream": len(truth.lost_by_broker),
        "twice in the stream": truth.doubled_by_broker,
        "connections ended": ends.total() - len(report.logs),
        **{f"  {how}": count for how, count in ends.most_common() if how != "the end"},
        "subscriptions resumed": sum(log.resumed for log in report.logs),
        "subscriptions not resumed": sum(log.refused for log in report.logs),
        **{f"servers: {title}": count for title, count in sorted(report.figures.items())},
        "gaps told": report.gaps,
        "deliveries": total.deliveries,
        "lost": total.told + total.told_late + lost,
        "  of these, the gap came behind its place": total.told_late,
        "doubled": total.count(Kind.DOUBLED),
        "out of order": total.count(Kind.REORDERED),
        "unknown": total.count(Kind.UNKNOWN),
        "unannounced (lost, and no gap was told)": lost,
        "against the protocol": sum(len(log.faults) for log in report.logs),
        "other complaints": len(report.complaints),
    }


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _gaps(report: Report) -> Iterator[str]:
    yield f"{report.scale.mode}: {report.gaps_without_reason} gaps, although the stream has all"
    reasons: Counter[str] = Counter()
    first: dict[str, tuple[ClientLog, float]] = {}
    for log in report.logs:
        for time, text in log.remarks:
            if text.startswith("gap: "):
                reason = text.partition("; position")[0]
                reasons[reason] += 1
                first.setdefault(reason, (log, time))
    for reason, count in reasons.most_common():
        log, time = first[reason]
        yield f"  {count} x {reason}; such as {log.name}:"
        yield from _timeline(report, log, time, time)


def _lost_by_broker(report: Report) -> Iterator[str]:
    lost = set(report.truth.lost_by_broker)
    began = sorted(
        each.began
        for group, attempts in report.record.attempts.items()
        for each in attempts
        if (group, each.key) in lost
    )
    for at in sorted({int(time) for time in began}):
        count = sum(int(time) == at for time in began)
        yield f"  {count} events confirmed from {at} to {at + 1}, but not in the stream"
    for each in report.happenings:
        if any(each.began - 1 <= time <= each.ended + 1 for time in began):
            yield f"  {each.began:.3f} until {each.ended:.3f}: {each.fault.title}: {each.detail}"


def _finding(report: Report, log: ClientLog, finding: Finding) -> Iterator[str]:
    numbers = ", ".join(map(show, finding.keys[:10])) + (" ..." if len(finding.keys) > 10 else "")
    before, after = (
        "nothing" if key is None else show(key) for key in (finding.before, finding.after)
    )
    yield (
        f"{report.scale.mode}: {log.name}, {finding.group}: {finding.kind.value} "
        f"{len(finding.keys)}: {numbers}; between {before} and {after}"
    )
    published = {each.key: each for each in report.record.attempts.get(finding.group, ())}
    for key in (finding.keys[0], finding.keys[-1])[: len(finding.keys)]:
        if key in published:
            entry = published[key]
            confirmed = "never" if entry.confirmed is None else f"{entry.confirmed:.3f}"
            yield f"  {entry.began:.3f} {show(key)} published, confirmed {confirmed}"
    yield from _timeline(report, log, finding.since, finding.until)


def _timeline(report: Report, log: ClientLog, since: float, until: float | None) -> Iterator[str]:
    """Give what happened around a time, to this client and to all, in order."""
    start, end = since - _AROUND, (since if until is None else until) + _AROUND / 4
    own = [each for each in log.remarks if start <= each.time <= end]
    if len(own) > _LINES:
        half = _LINES // 2
        left_out = Remark(own[half].time, f"... {len(own) - _LINES} lines ...")
        own = [*own[:half], left_out, *own[-half:]]
    faults = [
        (each.began, f"FAULT until {each.ended:.3f}: {each.fault.title}: {each.detail}")
        for each in report.happenings
        if each.began <= end and each.ended >= start
    ]
    for time, text in sorted([*own, *faults]):
        yield f"  {time:.3f} {text}"
