"""CPU per event consumed from RabbitMQ: txamqp as shipped, and towerws.

Run as ``python -m benchmarks.consume``; it starts a RabbitMQ node of its own and ends by itself
within a few minutes. Both consume the same events, published while they run; the CPU is that of the
consuming process alone, read from /proc. For towerws it includes the check of each payload and the
delivery to one websocket client, which stock txamqp is spared. The two take turns, and the table
shows the median and the spread.
"""

import argparse
import faulthandler
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pika
from websockets.sync.client import connect

from tests.integration.rabbitmq import RabbitMQNode

GROUP = "job_events-42"
EXCHANGE = "towerws.events"
STOCK_QUEUE = "stock"
DEADLINE = 60.0
TOTAL_DEADLINE = 900.0
_TICKS = os.sysconf("SC_CLK_TCK")


def event(size: int) -> bytes:
    """Make an ASCII payload, the only kind that stock txamqp survives.

    Args:
        size: Its length in bytes.
    """
    padding = size - len(json.dumps({"job": 42, "stdout": ""}))
    return json.dumps({"job": 42, "stdout": "x" * padding}).encode()


def cpu_seconds(pid: int) -> float:
    """Read how much CPU a process has used, in user and kernel mode.

    Args:
        pid: The process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def publish(url: str, body: bytes, count: int) -> None:
    """Publish events as fast as the broker takes them."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for _ in range(count):
            channel.basic_publish(EXCHANGE, GROUP, body)


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python process and end it."""
    running = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something, for a bounded time."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the consumer did not come to its end")
        time.sleep(0.05)


def measure_stock(url: str, body: bytes, count: int) -> float:
    """Measure txamqp as shipped, in seconds of CPU for all events."""
    parameters = pika.URLParameters(url)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.exchange_declare(EXCHANGE, "topic", durable=True)
        channel.queue_declare(STOCK_QUEUE, durable=True)
        channel.queue_bind(STOCK_QUEUE, EXCHANGE, GROUP)

        def state() -> tuple[int, int]:
            declared = channel.queue_declare(STOCK_QUEUE, passive=True).method
            return declared.consumer_count, declared.message_count

        with process("-m", "benchmarks.stock_consumer", str(parameters.port), STOCK_QUEUE) as own:
            wait_until(lambda: state()[0] == 1)
            before = cpu_seconds(own.pid)
            publish(url, body, count)
            wait_until(lambda: state()[1] == 0 and _is_idle(own.pid))
            used = cpu_seconds(own.pid) - before
        channel.queue_delete(STOCK_QUEUE)
    return used


def _is_idle(pid: int) -> bool:
    before = cpu_seconds(pid)
    time.sleep(0.3)
    return cpu_seconds(pid) == before


def measure_towerws(url: str, body: bytes, count: int) -> float:
    """Measure towerws with one client that listens, in seconds of CPU for all events."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with process(
        *("-m", "twisted", "towerws", "--operations", "none"),
        *("--listen", f"tcp:{port}:interface=127.0.0.1"),
        TOWERWS_BROKER=url,
    ) as own:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        with connect(f"ws://127.0.0.1:{port}/websocket/", compression=None) as client:
            client.recv()
            client.send(json.dumps({"groups": {"job_events": [42]}}))
            client.recv()
            before = cpu_seconds(own.pid)
            # In a thread: a client that does not read while we publish would be cut for it.
            publisher = Thread(target=publish, args=(url, body, count))
            publisher.start()
            for _ in range(count):
                client.recv(timeout=DEADLINE)
            used = cpu_seconds(own.pid) - before
            publisher.join()
            return used


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="of each run")
    parser.add_argument("--size", type=int, default=256, help="bytes of a payload")
    parser.add_argument("--runs", type=int, default=5, help="of each consumer")
    arguments = parser.parse_args()
    faulthandler.dump_traceback_later(TOTAL_DEADLINE, exit=True)
    body = event(arguments.size)
    node = RabbitMQNode()
    node.start()
    results: dict[str, list[float]] = {"txamqp as shipped": [], "towerws": []}
    try:
        for _ in range(arguments.runs):
            for name, measure in zip(results, (measure_stock, measure_towerws), strict=True):
                used = measure(node.url, body, arguments.events)
                results[name].append(used / arguments.events * 1e6)
    finally:
        node.stop()
    print(f"CPU per event, {arguments.events} events of {len(body)} bytes, {arguments.runs} runs")
    for name, values in results.items():
        median = statistics.median(values)
        print(f"{name:20} {median:7.1f} us   ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
