"""How long a client that comes back waits for what it missed: from memory, and from the stream.

Run as ``make bench-replay``; it takes a minute and starts a RabbitMQ and servers of
its own, the servers on one core, all else on the other. What is timed is a client's: from its first
frame, with ``since``, to the last event that it missed.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pika

from benchmarks.measure import LOAD_CORE, SERVER_CORE, on_core, runs
from benchmarks.nodes import start_node
from tests.integration.raw import TEXT, RawClient, encode_frame, handshake
from tests.integration.server import ServerProcess

ROUNDS = 9
SIZE = 256

#: Events of the group, and those of all groups for each of them.
_READ = (100, 1_000, 5_000)
_SHARES = (1, 10)

_GROUP = "job_events-1"
_PUBLISHED = _READ[-1] + 1


class Returning:
    """A client that comes back, on a connection of its own."""

    def __init__(self, port: int) -> None:
        """Connect.

        Args:
            port: The websocket's.
        """
        self._client = RawClient(port)
        self._client.send(handshake(headers=["Sec-WebSocket-Protocol: towerws.v1"]))
        self._client.read_head()
        self.position: str = json.loads(self._client.read_frame().payload)["position"]

    def replay(self, since: str, count: int) -> tuple[float, list[str]]:
        """Ask for what came after a position, and read it.

        Args:
            since: The position.
            count: How many events that are.

        Returns:
            Milliseconds, and the positions of the events.
        """
        frame = {"groups": {"job_events": [1]}, "since": since}
        began = time.perf_counter()
        self._client.send(encode_frame(json.dumps(frame).encode(), TEXT))
        answer = json.loads(self._client.read_frame().payload)
        assert (answer["resumed"], answer["replayed"]) == (True, count), answer
        payloads = [self._client.read_frame().payload for _ in range(count)]
        took = 1000 * (time.perf_counter() - began)
        self._client.close()
        return took, [json.loads(payload)["position"] for payload in payloads]


def publish(url: str, exchange: str, share: int) -> None:
    """Publish the events of the group, and those of others in between.

    Args:
        url: The broker's.
        exchange: Where to.
        share: One in so many is of the group.
    """
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for number in range(_PUBLISHED * share):
            head = b'{"job": %d, "stdout": "' % number
            group = "job_events-2" if number % share else _GROUP
            channel.basic_publish(exchange, group, head + b"x" * (SIZE - len(head) - 2) + b'"}')


@contextmanager
def _server(url: str, exchange: str) -> Iterator[ServerProcess]:
    # Nothing of the past in memory: what is replayed has either come while it ran, or is read.
    server = ServerProcess(
        "--queue-type=stream", "--warm-up=0", f"--exchange={exchange}", broker=url
    )
    try:
        with on_core(SERVER_CORE):
            server.start()
        yield server
    finally:
        server.stop()


def measure(url: str, share: int) -> None:
    """Measure, and print two rows for each number of events.

    Args:
        url: The broker's.
        share: See `publish`.
    """
    exchange = f"replay{share}"
    with _server(url, exchange) as server:
        origin = Returning(server.port).position
        publish(url, exchange, share)
        while server.metric("towerws_events_total") < _PUBLISHED * share:
            time.sleep(0.1)
        _, positions = Returning(server.port).replay(origin, _PUBLISHED)
        _print_rows("memory", server.port, share, positions)
        assert server.metric('towerws_resumes_total{result="archive"}') == 0
    with _server(url, exchange) as server:
        _print_rows("stream", server.port, share, positions)
        assert server.metric('towerws_resumes_total{result="memory"}') == 0


def _print_rows(source: str, port: int, share: int, positions: list[str]) -> None:
    for count in _READ:
        since = positions[-1 - count]
        took = [Returning(port).replay(since, count)[0] for _ in range(ROUNDS)]
        print(f"  {source}: {count:5} events of {count * share:6} {runs(took, 'ms')}", flush=True)


def main() -> None:
    """Start a broker, and measure."""
    node, version = start_node(LOAD_CORE)
    try:
        print(f"Until a client has all that it missed, events of {SIZE} bytes, {version}:")
        with on_core(LOAD_CORE):
            for share in _SHARES:
                measure(node.url, share)
    finally:
        node.stop()


if __name__ == "__main__":
    main()
