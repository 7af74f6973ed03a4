"""CPU per event consumed from RabbitMQ: txamqp as shipped, and towerws.

Run as ``python -m benchmarks.consume``; it starts a RabbitMQ node of its own and ends by itself
within some minutes. All consume the same events, published while they run, once as fast as the
broker takes them and once at a rate; the CPU is that of the consuming process alone, as the
scheduler accounts it. The consumer has a core of its own, broker and publisher have the other.

Of towerws there are two cases: nobody listens, and one websocket client does, for which each
payload is checked and delivered. Stock txamqp only gets and acknowledges. They take turns, and the
table shows the median, the spread, and each run.
"""

import argparse
import faulthandler
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pika

from benchmarks.child import Child
from benchmarks.measure import CPU, LOAD_CORE, SERVER_CORE, on_core, runs
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import RabbitMQNode
from tests.integration.raw import RawClient
from tests.integration.server import ServerProcess

GROUP = "job_events-42"
EXCHANGE = "towerws.events"
STOCK_QUEUE = "stock"
DEADLINE = 120.0
TOTAL_DEADLINE = 1800.0

#: CPU in 0.3 s that a process may use and count as idle, in nanoseconds: timers.
_IDLE = 2_000_000


def event(size: int) -> bytes:
    """Make an ASCII payload, the only kind that stock txamqp survives.

    Args:
        size: Its length in bytes, at least 126, so that the frame's header has a length of 4.
    """
    padding = size - len(json.dumps({"job": 42, "stdout": ""}))
    return json.dumps({"job": 42, "stdout": "x" * padding}).encode()


def publish(url: str, body: bytes, count: int, rate: float) -> None:
    """Publish events.

    Args:
        url: Of the broker.
        body: The event.
        count: How many.
        rate: How many in a second, one by one; 0 for as fast as the broker takes them.
    """
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        began = time.perf_counter()
        for number in range(count):
            if rate:
                time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            channel.basic_publish(EXCHANGE, GROUP, body)


def wait_until_idle(pid: int) -> None:
    """Wait until a process has nothing to do."""

    def is_idle() -> bool:
        before = CPU.read([pid])
        time.sleep(0.3)
        return CPU.read([pid]).since(before) < _IDLE

    wait_until(is_idle, DEADLINE, "the consumer has not come to its end")


def measure_stock(url: str, body: bytes, count: int, rate: float) -> int:
    """Measure txamqp as shipped, in nanoseconds of CPU for all events."""
    parameters = pika.URLParameters(url)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.exchange_declare(EXCHANGE, "topic", durable=True)
        channel.queue_declare(STOCK_QUEUE, durable=True)
        channel.queue_bind(STOCK_QUEUE, EXCHANGE, GROUP)

        def state() -> tuple[int, int]:
            declared = channel.queue_declare(STOCK_QUEUE, passive=True).method
            return declared.consumer_count, declared.message_count

        with _stock_consumer(parameters.port, lambda: state()[0] == 1) as pid:
            before = CPU.read([pid])
            publish(url, body, count, rate)
            wait_until(lambda: state()[1] == 0, DEADLINE, "txamqp does not come to its end")
            wait_until_idle(pid)
            used = CPU.read([pid]).since(before)
        channel.queue_delete(STOCK_QUEUE)
    return used


@contextmanager
def _stock_consumer(port: int, ready: Callable[[], bool]) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.stock_consumer", str(port), STOCK_QUEUE]
    child = Child("txamqp")
    try:
        with on_core(SERVER_CORE):
            child.start(command, ready=ready)
        yield child.pid
    finally:
        child.stop()


def measure_unheard(url: str, body: bytes, count: int, rate: float) -> int:
    """Measure towerws while nobody listens, in nanoseconds of CPU for all events."""
    # Longer than all of it takes: the group stays bound after its only listener has left.
    with _server(url, "--linger=600") as server:
        client = RawClient(server.port)
        client.open()
        client.subscribe("job_events", "42")
        client.close()
        before = CPU.read([server.pid])
        publish(url, body, count, rate)
        wait_until_idle(server.pid)
        used = CPU.read([server.pid]).since(before)
        assert server.metric("towerws_events_unheard_total") == count
    return used


def measure_heard(url: str, body: bytes, count: int, rate: float, *options: str) -> int:
    """Measure towerws with one client that listens, in nanoseconds of CPU for all events."""
    with _server(url, *options) as server:
        client = RawClient(server.port)
        client.open()
        client.subscribe("job_events", "42")
        before = CPU.read([server.pid])
        # In a thread: a client that does not read while we publish would be cut for it.
        reader = Thread(target=_read, args=(client, count * (len(body) + 4)))
        reader.start()
        publish(url, body, count, rate)
        reader.join()
        used = CPU.read([server.pid]).since(before)
        client.close()
        assert server.metric("towerws_deliveries_total") == count
    return used


def _read(client: RawClient, size: int) -> None:
    while size > 0 and (data := client.sock.recv(1 << 20)):
        size -= len(data)


def measure_without_history(url: str, body: bytes, count: int, rate: float) -> int:
    """Measure the same with a server that keeps no event."""
    return measure_heard(url, body, count, rate, "--history-events=0")


@contextmanager
def _server(url: str, *options: str) -> Iterator[ServerProcess]:
    server = ServerProcess(*options, broker=url)
    try:
        with on_core(SERVER_CORE):
            server.start()
        yield server
    finally:
        server.stop()


CONSUMERS: dict[str, Callable[[str, bytes, int, float], int]] = {
    "txamqp as shipped": measure_stock,
    "towerws, nobody listens": measure_unheard,
    "towerws, one client": measure_heard,
    "the same, no history": measure_without_history,
}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="of each run")
    parser.add_argument("--size", type=int, default=256, help="bytes of a payload")
    parser.add_argument("--rate", type=float, default=5000, help="events in a second, when paced")
    parser.add_argument("--runs", type=int, default=5, help="of each consumer")
    arguments = parser.parse_args()
    faulthandler.dump_traceback_later(TOTAL_DEADLINE, exit=True)
    body = event(arguments.size)
    rates = {"flat out": 0.0, f"{arguments.rate:g}/s": arguments.rate}
    results: dict[tuple[str, str], list[float]] = {}
    os.sched_setaffinity(0, {LOAD_CORE})
    node = RabbitMQNode()
    node.start()
    try:
        for _ in range(arguments.runs):
            for arrival, rate in rates.items():
                for name, measure in CONSUMERS.items():
                    used = measure(node.url, body, arguments.events, rate)
                    results.setdefault((arrival, name), []).append(used / arguments.events / 1000)
    finally:
        node.stop()
    print(f"CPU per event, {arguments.events} events of {len(body)} bytes, {arguments.runs} runs")
    for (arrival, name), values in results.items():
        print(f"{arrival:10} {name:24} {runs(values, 'us')}")


if __name__ == "__main__":
    main()
