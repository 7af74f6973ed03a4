"""One run of chaos in one mode, from the start of the servers to the verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import truth
from tests.chaos.checker import Finding, Result, check, excuse_late
from tests.chaos.publishing import Record
from tests.chaos.rain import Happening, Rain
from tests.chaos.schedule import CLASSIC_ONLY, NEVER_DRAWN, Fault
from tests.chaos.track import ClientLog
from tests.chaos.world import Scale, World
from tests.integration.rabbitmq import RabbitMQNode

#: Seconds for all clients to be there at the start, and to be back after the last fault.
_SETTLED_WITHIN = 60.0

#: Seconds without a fault before the last events: a lost connection to the broker is noticed by its
#: heartbeats, every 2 s, and the clients' come as often.
_QUIET = 5.0

#: Seconds for the last events to reach everybody.
_REACHED_WITHIN = 30.0

#: Seconds for publishers to end what they have begun.
_PUBLISHED_WITHIN = 60.0

#: Changes of groups in a second, for each hundred clients.
_RESTLESSNESS = 2.0


#: Seconds by which a gap may be behind its place in classic mode; see `excuse_late`. It leaves the
#: server some tenths of a second behind; the rest is what slow readers take to come to it.
LATE = 10.0


@dataclass(slots=True)
class Report:
    """Everything about a run that a reader may want to know.

    Attributes:
        scale: How large it was.
        happenings: The faults.
        logs: What each client saw.
        results: What became of it, by the client's name.
        truth: What there was to see.
        complaints: What is wrong beside the clients' sequences.
        figures: What the servers counted.
        record: When which event was published.
        no_cable: Why there was no partition with a network namespace, empty if there was.
    """

    scale: Scale
    happenings: list[Happening]
    logs: list[ClientLog]
    results: dict[str, Result]
    truth: truth.Truth
    complaints: list[str]
    figures: Counter[str]
    record: Record
    no_cable: str

    @property
    def total(self) -> Result:
        """All clients together."""
        total = Result()
        for result in self.results.values():
            total.add(result)
        return total

    @property
    def gaps(self) -> int:
        """How many gaps all clients were told."""
        return sum(log.gaps for log in self.logs)

    @property
    def findings(self) -> list[tuple[ClientLog, Finding]]:
        """What is wrong with sequences, and whose."""
        return [(log, finding) for log in self.logs for finding in self.results[log.name].findings]

    @property
    def gaps_without_reason(self) -> int:
        """Gaps that were told although the stream has everything."""
        excused = any(each.fault is Fault.STREAM_DELETED for each in self.happenings)
        is_whole = self.scale.mode == "stream" and not excused
        return self.gaps if is_whole else 0

    @property
    def ok(self) -> bool:
        """Whether nothing was lost in silence, and nothing else is wrong."""
        return not (
            self.total.findings
            or self.complaints
            or self.gaps_without_reason
            or any(log.faults for log in self.logs)
        )


async def run(
    scale: Scale,
    node: RabbitMQNode,
    logs: Path,
    tell: Callable[[str], None],
    *,
    delete_stream: bool,
) -> Report:
    """Let it rain, and judge.

    Args:
        scale: How large it is.
        node: A broker that runs, and may be killed; it runs again in the end.
        logs: Directory that keeps the servers' logs.
        tell: Called with a line for each thing that happens.
        delete_stream: Delete the stream as well, which loses data; clients have to be told.

    Returns:
        What became of it.
    """
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(f"a fault of the tests: {context}")
    )
    async with World(scale, node, logs) as world:
        rain = Rain(world, _possible(world, delete_stream=delete_stream), tell)
        await _settle(world, 0.0, complaints)
        tell(f"{scale.clients} clients are there")
        world.crowd.restlessness = scale.clients / 100 * _RESTLESSNESS
        await rain.fall()
        world.crowd.restlessness = 0.0
        tell("no more faults")
        for server in world.servers:
            try:
                await asyncio.to_thread(server.wait_ready, _SETTLED_WITHIN)
            except RuntimeError as error:
                complaints.append(str(error))
        await asyncio.to_thread(world.publishing.finish, _PUBLISHED_WITHIN)
        await _settle(world, _QUIET, complaints)
        tell("all clients are back")
        record = await asyncio.to_thread(world.publishing.mark)
        last = {group: attempts[-1].key for group, attempts in record.attempts.items()}
        await _reach(world, last, complaints)
        await world.crowd.stop()
        tell("the last events have come")
        known = await asyncio.to_thread(_find_truth, world, record, last, rain.happenings)
    client_logs = [client.subscriber.log for client in world.crowd.clients]
    results = {log.name: check(known.published, log.tracks) for log in client_logs}
    if world.scale.mode == "classic":
        for log in client_logs:
            excuse_late(results[log.name], log.tracks, LATE)
    figures: Counter[str] = Counter()
    for server in world.servers:
        figures.update(server.figures)
        complaints += server.complaints
    return Report(
        scale, rain.happenings, client_logs, results, known, complaints, figures, record,
        world.no_cable,
    )  # fmt: skip


def _possible(world: World, *, delete_stream: bool) -> list[Fault]:
    impossible = set(NEVER_DRAWN)
    if world.scale.mode == "stream":
        impossible |= CLASSIC_ONLY
        if delete_stream:
            impossible.discard(Fault.STREAM_DELETED)
    if world.cable is None:
        impossible.add(Fault.PARTITION)
    return [fault for fault in Fault if fault not in impossible]


async def _settle(world: World, quiet: float, complaints: list[str]) -> None:
    """Wait until all clients are where they want to be, and have been for a while."""
    until = time.monotonic() + _SETTLED_WITHIN
    since = time.monotonic()
    while time.monotonic() - since < quiet or world.crowd.settled < world.scale.clients:
        await asyncio.sleep(0.1)
        if world.crowd.settled < world.scale.clients:
            since = time.monotonic()
            if since > until:
                away = world.scale.clients - world.crowd.settled
                complaints.append(f"{away} clients were not back within {_SETTLED_WITHIN:g} s")
                return


async def _reach(world: World, last: dict[str, int], complaints: list[str]) -> None:
    """Wait until the last event of each group has reached all who hear it."""
    until = time.monotonic() + _REACHED_WITHIN
    while late := [
        f"{client.subscriber.log.name} ({group})"
        for client in world.crowd.clients
        for group in sorted(client.subscriber.wanted)
        if client.subscriber.log.track(group).keys[-1:].tolist() != [last[group]]
    ]:
        if time.monotonic() > until:
            complaints.append(
                f"the last event did not come within {_REACHED_WITHIN:g} s to "
                f"{len(late)} subscriptions: {', '.join(late[:5])} ..."
            )
            return
        await asyncio.sleep(0.1)


def _find_truth(
    world: World, record: Record, last: dict[str, int], happenings: Sequence[Happening]
) -> truth.Truth:
    """Take the stream's word for what there was; the publishers', if there is no whole stream."""
    was_deleted = any(each.fault is Fault.STREAM_DELETED for each in happenings)
    if world.scale.mode == "classic" or was_deleted:
        return truth.of_record(record.attempts)
    content = truth.read_stream(world.node.url, f"{world.exchange}.stream", last)
    return truth.of_stream(record.attempts, content)
