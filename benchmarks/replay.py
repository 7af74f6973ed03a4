"""How long a client waits for what it missed while that is read from the stream.

Run as ``python -m benchmarks.replay``; it takes some 20 seconds and starts a RabbitMQ of its own,
on the other core. Each reading is what a node does for one client: a connection, a consumer at the
client's position, and all events of its group from there to where the memory of the node begins.
"""

import time
from functools import partial
from typing import Any

import pika
from twisted.internet import task

from benchmarks.measure import LOAD_CORE, SERVER_CORE, on_core, runs
from benchmarks.nodes import start_node
from towerws.amqp.connect import connect
from towerws.amqp.hosts import Hosts
from towerws.core.broker_url import BrokerURL
from towerws.core.event import Event
from towerws.core.history import Bounds, History
from towerws.core.metrics import Metrics
from towerws.core.positions import Mark, StreamPositions, fingerprint
from towerws.feeds.stream import StreamSettings
from towerws.feeds.stream_reader import StreamReader

ROUNDS = 9
SIZE = 256

#: Events of the group, and those of the stream for each of them.
_READ = (100, 1_000, 5_000)
_SHARES = (1, 10)

_GROUP = "job_events-1"
_SETTINGS = StreamSettings("replay")


def make_event(number: int, share: int) -> Event:
    """Make an event; one in so many is of the group that is read.

    Args:
        number: Its number in the stream, from 0.
        share: How many.
    """
    head = b'{"job": %d, "stdout": "' % number
    group = "job_events-2" if number % share else _GROUP
    return Event(group, head + b"x" * (SIZE - len(head) - 2) + b'"}', number)


def fill(url: str, share: int) -> int:
    """Declare a stream in place of the last one, and publish what the longest reading reads.

    Args:
        url: The broker's.
        share: See `make_event`.

    Returns:
        How many there are.
    """
    length = _READ[-1] * share + 1
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.exchange_declare(_SETTINGS.exchange, "topic", durable=True)
    channel.queue_delete(_SETTINGS.queue)
    arguments = _SETTINGS.queue_arguments()
    channel.queue_declare(_SETTINGS.queue, durable=True, arguments=arguments)
    channel.queue_bind(_SETTINGS.queue, _SETTINGS.exchange, "#")
    for number in range(length):
        event = make_event(number, share)
        channel.basic_publish(_SETTINGS.exchange, event.group, event.payload)
    # Behind all of them on the same channel.
    channel.confirm_delivery()
    channel.basic_publish(_SETTINGS.exchange, "$mark", b"{}")
    connection.close()
    return length


async def read(reader: StreamReader, mark: Mark, count: int) -> float:
    """Read once.

    Args:
        reader: What reads.
        mark: From where.
        count: How many events there are of the group.

    Returns:
        Milliseconds.
    """
    began = time.perf_counter()
    excerpt = await reader.read(mark, frozenset([_GROUP]))
    took = 1000 * (time.perf_counter() - began)
    assert excerpt.archived is not None
    assert len(excerpt.archived.events) == count
    return took


async def measure(reactor: Any, url: str) -> None:
    """Measure, and print the table.

    Args:
        reactor: Twisted's.
        url: The broker's.
    """
    parsed = BrokerURL.parse(url)
    for share in _SHARES:
        length = fill(url, share)
        # The memory begins behind everything that is read.
        last = Event("$mark", b"{}", length)
        history = History(StreamPositions(), Bounds(), Metrics(), time.monotonic)
        history.append([(last.group, [last])])
        reader = StreamReader(
            _SETTINGS.queue,
            history,
            1 << 24,
            reactor,
            connect=partial(connect, parsed, reactor=reactor),
            hosts=Hosts(parsed.hosts),
        )
        for count in _READ:
            at = make_event(length - 1 - count * share, share)
            mark = Mark(at.offset, fingerprint(at))
            took = [await read(reader, mark, count) for _ in range(ROUNDS)]
            print(f"  {count:5} events of {count * share:6} {runs(took, 'ms')}", flush=True)


def main() -> None:
    """Start a broker, and measure."""
    node, version = start_node(LOAD_CORE)
    try:
        print(f"To read events of {SIZE} bytes from a stream of {version}:")
        with on_core(SERVER_CORE):
            task.react(measure, (node.url,))
    finally:
        node.stop()


if __name__ == "__main__":
    main()
