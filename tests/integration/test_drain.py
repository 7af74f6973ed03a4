"""The end of the real server: clients go one after the other, and lose nothing until they do."""

import contextlib
import os
import signal
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, Client
from tests.integration.loopback import listens, wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.raw import TEXT, RawClient
from tests.integration.server import SHARED_EXCHANGE, ServerProcess

#: Half of them speak profile "towerws.v1". Each worker of two gets some: else, once in 2**19.
_CLIENTS = 20

#: Events for clients that leave within a second, and seconds between two of them. The library
#: keeps 16 messages that nobody asks for, and does not read on.
_EVENTS, _PAUSE = 12, 0.1

#: A spread that no test waits for.
_LONG = ("--drain", "60")


class DrainCase(ServerCase):
    """A test with clients that are to leave."""

    def crowd(self, server: ServerProcess) -> list[Client]:
        """Connect clients of both profiles, all in the same group."""
        profiles: list[tuple[str, ...]] = [(), ("towerws.v1",)]
        clients = [
            self.client(server, subprotocols=profiles[number % 2]) for number in range(_CLIENTS)
        ]
        for client in clients:
            client.subscribe(drain=[1])
        return clients

    def publish(self, server: ServerProcess) -> list[int]:
        """Publish numbered events while clients leave; tell how many each reached."""
        reached: list[int] = []
        # The site closes last, and soon after the last client has left.
        with contextlib.suppress(OSError):
            while len(reached) < _EVENTS:
                status, answer = server.emit("drain-1", b'{"n": %d}' % len(reached))
                if status == HTTPStatus.SERVICE_UNAVAILABLE:
                    break
                assert isinstance(answer, dict)
                reached.append(answer["connections"])
                time.sleep(_PAUSE)
        return reached

    def heard(self, client: Client) -> tuple[list[int], list[int]]:
        """Read to the Close; give the numbers that came, and the delays of reconnect frames."""
        numbers: list[int] = []
        delays: list[int] = []
        while True:
            try:
                frame: Any = client.receive_json()
            except ConnectionClosed as closed:
                assert closed.rcvd is not None
                self.assertEqual((closed.rcvd.code, closed.rcvd.reason), (1012, "the server stops"))
                return numbers, delays
            if "reconnect" in frame:
                delays.append(frame["reconnect"]["after_ms"])
            else:
                numbers.append(frame.get("event", frame)["n"])

    def check_farewells(self, heard: list[tuple[list[int], list[int]]]) -> None:
        """Look whether each lost nothing until it left, and v1 clients were told when to return."""
        for position, (numbers, delays) in enumerate(heard):
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertEqual(len(delays), position % 2)
        delays = [delay for _, told in heard for delay in told]
        self.assertGreater(len(set(delays)), 1)
        self.assertTrue(all(1000 <= delay <= 4000 for delay in delays), delays)
        # They did not leave together.
        self.assertGreater(len({len(numbers) for numbers, _ in heard}), 3)

    def wait_for_end(self, server: ServerProcess) -> int | None:
        """Wait until it has ended by itself; give its exit status."""
        wait_until(lambda: not server.running, PATIENCE, "the server does not end")
        return server.stop()


class DrainTests(DrainCase):
    """SIGTERM."""

    def test_drain(self) -> None:
        """Not ready at once, nobody is let in, and who is there is served until its own Close."""
        server = self.start_server("--drain", "1")
        clients = self.crowd(server)
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: server.unready() == "draining", PATIENCE, "it is ready")
        self.assertEqual(server.get("/ready")[0], 503)
        self.assertEqual(server.get("/health")[0], 200)
        self.assertEqual(server.metric("towerws_draining"), 1)
        self.assertFalse(listens(server.port))
        reached = self.publish(server)
        heard = [self.heard(client) for client in clients]
        self.assertEqual(self.wait_for_end(server), 0)
        self.check_farewells(heard)
        counted = [sum(number in numbers for numbers, _ in heard) for number in range(len(reached))]
        self.assertEqual(counted, reached)
        self.assertGreater(reached[0], _CLIENTS // 2)

    def test_slow_reader(self) -> None:
        """Everything that waits for a client comes before its Close."""
        server = self.start_server("--max-outbox", str(1 << 26))
        client = RawClient(server.port, receive_buffer=4096)
        self.addCleanup(client.close)
        client.open()
        client.subscribe("drain", "1")
        # Some megabytes are the kernel's.
        event = b'{"x": "%s"}' % (b"x" * 1_000_000)
        for _ in range(12):
            self.assertEqual(server.emit("drain-1", event)[0], 202)
        os.kill(server.pid, signal.SIGTERM)
        server.wait_for_log("1 clients are sent away")
        for _ in range(12):
            frame = client.read_frame()
            self.assertEqual((frame.first & 0x0F, len(frame.payload)), (TEXT, len(event)))
        self.assertEqual(client.read_frame().close_code, 1012)
        client.close()
        self.assertEqual(self.wait_for_end(server), 0)

    def test_hurry(self) -> None:
        """A second SIGTERM ends it at once and in order; so does Ctrl-C, as it ever did."""
        for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)):
            server = self.start_server(*_LONG)
            clients = [self.client(server) for _ in range(3)]
            os.kill(server.pid, signal.SIGSTOP)
            os.kill(server.pid, signal.SIGTERM)
            os.kill(server.pid, signal.SIGCONT)
            server.wait_for_log("3 clients are sent away")
            os.kill(server.pid, number)
            self.assertEqual({client.wait_closed() for client in clients}, {1012})
            self.assertEqual(self.wait_for_end(server), status)

    def test_broker(self) -> None:
        """With a broker events come until the last client has left; the broker is left in order."""
        node = shared_node()
        server = self.start_server("--drain", "1", "--exchange", SHARED_EXCHANGE, broker=node.url)
        clients = self.crowd(server)
        backend = self.backend(node.url, SHARED_EXCHANGE)
        os.kill(server.pid, signal.SIGTERM)
        for number in range(_EVENTS):
            backend.publish("drain-1", b'{"n": %d}' % number)
            time.sleep(_PAUSE)
        self.check_farewells([self.heard(client) for client in clients])
        self.assertEqual(self.wait_for_end(server), 0)
        self.assertNotIn("lost the broker", server.log())


class WorkersTests(DrainCase):
    """The same with several workers."""

    def workers_of(self, server: ServerProcess) -> list[int]:
        """Find the process ids of a server's workers."""
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def test_all_terminated(self) -> None:
        """SIGTERM for all processes at once, as of systemd, is one drain of all workers."""
        server = self.start_server("--workers", "2", "--drain", "1")
        clients = self.crowd(server)
        # The workers get it first.
        for pid in (*self.workers_of(server), server.pid):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: server.unready() == "draining", PATIENCE, "it is ready")
        self.assertEqual(server.get("/health")[0], 200)
        wait_until(lambda: not listens(server.port), PATIENCE, "clients can connect")
        self.publish(server)
        heard = [self.heard(client) for client in clients]
        self.assertEqual(self.wait_for_end(server), 0)
        self.check_farewells(heard)
        self.assertNotIn("another one starts", server.log())

    def test_hurry(self) -> None:
        """A second SIGTERM of the supervisor ends all workers at once, in order."""
        server = self.start_server("--workers", "2", *_LONG)
        clients = self.crowd(server)
        os.kill(server.pid, signal.SIGTERM)
        server.wait_for_log("clients are sent away")
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        self.assertEqual({client.wait_closed() for client in clients}, {1012})
        self.assertEqual(self.wait_for_end(server), 0)
        self.assertLess(time.monotonic() - began, PATIENCE)
        self.assertNotIn("did not end in time", server.log())
