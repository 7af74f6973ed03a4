"""The work that every server gets, and what one run of it says."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.deliveries import Ledger
from benchmarks.measure import CPU, percentile, resident
from benchmarks.rivals import Publisher, Rival
from benchmarks.subscribers import Subscribers

SUBSCRIBERS = 1000
#: Seconds of each run, more where the server needs it to deliver what was published.
DURATION = 3.0
BURST = 16

#: Longest wait for what is still on its way after the last event was published, in seconds.
_GRACE = 20.0

#: Of its core; beyond this the load client is what is measured.
_BUSY = 0.85


@dataclass(frozen=True, slots=True)
class Work:
    """What is published to whom.

    Attributes:
        key: For the results.
        groups: Over which the subscribers are spread.
        burst: Events that are published back to back.
        size: Bytes of each.
        compressed: Whether the subscribers negotiate permessage-deflate.
    """

    key: str
    groups: int = 1
    burst: int = 1
    size: int = 256
    compressed: bool = False

    def interval(self, pace: int) -> float:
        """Give the time between two bursts, in seconds.

        Args:
            pace: Events for all subscribers per second. With more groups there are more events, so
                that the deliveries are as many.
        """
        return self.burst / pace / self.groups


PACED = Work("paced")
BURSTS = Work("bursts", burst=BURST)
SPREAD = Work("spread", groups=10)
LARGE = Work("large", size=4096)
DEFLATED = Work("deflated", size=4096, compressed=True)


@dataclass(slots=True)
class Run:
    """What one run of some work said.

    Attributes:
        server_us: CPU of the server per delivery, in microseconds.
        broker_us: CPU of the broker per delivery, in microseconds.
        client_us: CPU of the load client and publisher per delivery, in microseconds.
        deliveries: Those that arrived.
        lost: Those that did not.
        rate: Deliveries that were asked for per second.
        p50_ms: Median of the time from publishing until the client's kernel had the event.
        p99_ms: 99 of 100 took no longer.
        max_ms: None took longer.
        read_p99_ms: The 99th percentile of the time until the client had read it.
        deliveries_per_read: More than one where the server, the kernel, or the client's delay put
            several into one.
        remarks: What speaks against the figures.
    """

    server_us: float
    broker_us: float
    client_us: float
    deliveries: int
    lost: int
    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    read_p99_ms: float
    deliveries_per_read: float
    remarks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Memory:
    """What idle connections cost.

    Attributes:
        connections: How many there were.
        server_kib: Memory of the server for each, in KiB.
        broker_kib: Memory of the broker for each, in KiB.
        idle_ms: CPU of server and broker while nothing happens, in milliseconds per second.
        per_second: Connections that were opened per second, by one client, one core for the server.
    """

    connections: int
    server_kib: float
    broker_kib: float
    idle_ms: float
    per_second: float


@contextmanager
def subscribed(rival: Rival, count: int, work: Work) -> Iterator[Subscribers]:
    """Connect subscribers; they are gone, and the server is quiet again, at the end.

    Args:
        rival: The server.
        count: How many.
        work: What they are for.
    """
    subscribers = Subscribers()
    plans = [
        (group, rival.steps(group, compressed=work.compressed)) for group in range(work.groups)
    ]
    try:
        subscribers.connect(rival.port, [plans[i % work.groups] for i in range(count)])
        yield subscribers
    finally:
        subscribers.close()
    settle(rival)


def settle(rival: Rival) -> None:
    """Wait until a server does nothing any more: less than 3 % of a core, for at most 20 s."""
    processes = [*rival.server, *rival.broker]
    deadline = time.monotonic() + 20.0
    before = CPU.read(processes)
    while time.monotonic() < deadline:
        time.sleep(0.2)
        now = CPU.read(processes)
        if now.since(before) < 0.03 * 0.2e9:
            return
        before = now


def run(rival: Rival, subscribers: Subscribers, publisher: Publisher, work: Work) -> Run:
    """Do some work once.

    Args:
        rival: The server.
        subscribers: Connected to it, for this work.
        publisher: Connected to it.
        work: What to do.
    """
    sizes = [0] * work.groups
    for _, group in subscribers.groups:
        sizes[group] += 1
    ledger = Ledger(sizes, work.size)
    subscribers.listen(ledger)
    gc.collect()
    gc.disable()
    try:
        own, began = time.process_time_ns(), time.monotonic()
        server, broker = CPU.read(rival.server), CPU.read(rival.broker)
        _play(subscribers, publisher, ledger, work, rival.pace)
        seconds, used = time.monotonic() - began, time.process_time_ns() - own
        server_now, broker_now = CPU.read(rival.server), CPU.read(rival.broker)
    finally:
        gc.enable()
    costs = _Costs(server_now.since(server), broker_now.since(broker), used, seconds)
    result = _sum_up(rival, subscribers, ledger, work, costs)
    result.remarks += filter(None, [server_now.doubts(server), broker_now.doubts(broker)])
    return result


@dataclass(frozen=True, slots=True)
class _Costs:
    """CPU in nanoseconds, and how long all of it took."""

    server: int
    broker: int
    client: int
    seconds: float


def _play(
    subscribers: Subscribers, publisher: Publisher, ledger: Ledger, work: Work, pace: int
) -> None:
    """Publish on schedule, and receive until all is there or the patience ends."""
    interval = work.interval(pace)
    began = time.monotonic()
    for turn in range(max(1, round(DURATION / interval))):
        while (wait := began + turn * interval - time.monotonic()) > 0:
            subscribers.receive(wait)
        group = turn % work.groups
        publisher.publish([ledger.publication(group) for _ in range(work.burst)])
    deadline = time.monotonic() + _GRACE
    while ledger.received < ledger.expected and time.monotonic() < deadline:
        subscribers.receive(0.05)


def _sum_up(
    rival: Rival, subscribers: Subscribers, ledger: Ledger, work: Work, costs: _Costs
) -> Run:
    if not ledger.received:
        ends = f"; {subscribers.ended[0]}" if subscribers.ended else ""
        raise RuntimeError(f"nothing arrived{ends}")
    per_delivery = 1000 * ledger.received
    latencies, delays = sorted(ledger.latencies), sorted(ledger.delays)
    remarks = []
    if ledger.foreign:
        remarks.append(f"{ledger.foreign} messages twice, out of order, or not published")
    if subscribers.ended:
        remarks.append(f"{len(subscribers.ended)} connections ended: {subscribers.ended[0]}")
    if costs.client / 1e9 > _BUSY * costs.seconds:
        remarks.append("the load client had no time to spare")
    if work.groups == 1 and latencies[-1] / 1e9 > work.interval(rival.pace):
        remarks.append("an event was published before the last one was delivered to all")
    return Run(
        server_us=costs.server / per_delivery,
        broker_us=costs.broker / per_delivery,
        client_us=costs.client / per_delivery,
        deliveries=ledger.received,
        lost=ledger.lost(subscribers.groups),
        rate=SUBSCRIBERS * rival.pace,
        p50_ms=percentile(latencies, 0.5) / 1e6,
        p99_ms=percentile(latencies, 0.99) / 1e6,
        max_ms=latencies[-1] / 1e6,
        read_p99_ms=percentile(delays, 0.99) / 1e6,
        deliveries_per_read=ledger.received / subscribers.reads,
        remarks=remarks,
    )


def measure_memory(rival: Rival, count: int) -> Memory:
    """Open idle connections and see what they cost.

    Args:
        rival: The server; it should be fresh, as memory that it has kept is not seen to grow.
        count: How many connections.
    """
    # What is loaded and allocated once belongs to no connection.
    with subscribed(rival, 50, SPREAD):
        pass
    server, broker = resident(rival.server), resident(rival.broker)
    began = time.monotonic()
    with subscribed(rival, count, SPREAD) as subscribers:
        took = time.monotonic() - began
        settle(rival)
        processes = [*rival.server, *rival.broker]
        before = CPU.read(processes)
        began = time.monotonic()
        while time.monotonic() < began + 1.0:
            subscribers.receive(0.1)
        idle = CPU.read(processes).since(before) / (time.monotonic() - began) / 1e6
        if subscribers.ended:
            raise RuntimeError(
                f"{len(subscribers.ended)} connections ended: {subscribers.ended[0]}"
            )
        return Memory(
            connections=count,
            server_kib=(resident(rival.server) - server) / count / 1024,
            broker_kib=(resident(rival.broker) - broker) / count / 1024,
            idle_ms=idle,
            per_second=count / took,
        )
