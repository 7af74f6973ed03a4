"""A client that stops reading, against the real server."""

import threading
import time

from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, Client
from tests.integration.loopback import wait_until
from tests.integration.raw import RawClient
from tests.integration.server import ServerProcess

#: What is published: 20 MB. An event is smaller than what the server may keep for a client.
_COUNT, _SIZE = 1000, 20_000

#: By how much the server's memory may grow, in bytes: a megabyte for each of two clients that do
#: not read, what Twisted and the kernel's answers need, and what Python's allocator keeps.
_GROWTH = 8 << 20


class SlowReaderTests(ServerCase):
    """Twenty megabytes for three clients, two of which do not read."""

    def test_slow_readers(self) -> None:
        """They are cut, in bounded memory; the third one gets everything, in order."""
        # What is kept for those who come back has a bound of its own.
        server = self.start_server("--history-events", "0")
        reader = self.client(server)
        reader.subscribe(slow=[1])
        waking, sleeping = (self._stalled(server) for _ in range(2))
        published = [
            (b'{"n": %d, "x": "' % n).ljust(_SIZE - 2, b"x") + b'"}' for n in range(_COUNT)
        ]
        collector = _Collector(reader, _COUNT)
        self._publish(server, published[:50])  # what the server needs once and for all
        before = most = server.resident_bytes()
        closed = None
        began = time.monotonic()
        for start in range(50, _COUNT, 50):
            self._publish(server, published[start : start + 50])
            most = max(most, server.resident_bytes())
            # As soon as it is so: the server does not wait long for its Close to be read.
            if closed is None and server.metric("towerws_slow_readers_total") == 2:
                closed = self._until_closed(waking)
        collector.join()
        self.assertEqual(collector.received, published)
        self.tell(
            f"{_COUNT * _SIZE / 1e6:.0f} MB in {time.monotonic() - began:.1f} s, "
            f"the server grew by {(most - before) / 1e6:.1f} MB"
        )
        self.assertLess(most - before, _GROWTH)
        self.assertEqual(closed, 1013)
        self.assertEqual(server.metric("towerws_slow_readers_total"), 2)
        # The one that never reads does not even see its Close; it is dropped all the same.
        wait_until(
            lambda: server.metric("towerws_connections") == 1, PATIENCE, "nobody was dropped"
        )
        self.assertRaises(ConnectionError, self._until_closed, sleeping)

    def _stalled(self, server: ServerProcess) -> RawClient:
        client = RawClient(server.port, receive_buffer=4096)
        self.addCleanup(client.close)
        client.open()
        client.subscribe("slow", "1")
        return client

    def _publish(self, server: ServerProcess, events: list[bytes]) -> None:
        for event in events:
            self.assertEqual(server.emit("slow-1", event)[0], 202)

    def _until_closed(self, client: RawClient) -> int:
        """Read on until the server's Close; give its code."""
        while (frame := client.read_frame()).first == 0x81:
            pass
        return frame.close_code


class _Collector:
    """Takes a client's events in a thread, as fast as they come.

    Attributes:
        received: What came so far.
    """

    def __init__(self, client: Client, count: int) -> None:
        self.received: list[bytes] = []
        self._client = client
        self._thread = threading.Thread(target=self._collect, args=(count,), daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until all have come, or none for some time."""
        self._thread.join()

    def _collect(self, count: int) -> None:
        try:
            while len(self.received) < count:
                self.received.append(self._client.receive())
        except TimeoutError:
            pass
