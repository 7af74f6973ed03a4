"""The real server with a real RabbitMQ: queues that overflow or go away, and who is told."""

import os
import signal
import time
from typing import Any

from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess
from towerws.core.wire_v1 import SUBPROTOCOL

#: What the README lets the server's user configure and read, and where it lets it write.
_OURS = r"^(amq\.gen.*|towerws\.events)$"
_WRITTEN = r"^(amq\.(gen.*|default)|towerws\.events)$"


class GapCase(ServerCase):
    """A test with a client that is told of gaps.

    Attributes:
        missing_without_gap: Events that the last `read` gave with some missing right before them,
            and no gap in their place.
    """

    missing_without_gap: list[int]

    def setUp(self) -> None:
        """Start the broker if this is the first test that needs it."""
        self.node = shared_node()

    def start(self, *options: str) -> None:
        """Start a server with a client that listens to ``flood-1``."""
        self.server: ServerProcess = self.start_server(
            "--exchange", "towerws.overflow", *options, broker=self.node.url
        )
        self.listener = self.client(self.server, subprotocols=[SUBPROTOCOL])
        self.listener.subscribe(flood=[1])

    def publish(self, *numbers: int) -> None:
        """Publish events of a kilobyte."""
        backend = self.backend(self.node.url, "towerws.overflow")
        for number in numbers:
            backend.publish("flood-1", b'{"n": %d, "fill": "%s"}' % (number, b"x" * 1000))

    def read(self, until: int) -> tuple[list[int], list[str]]:
        """Read until an event has come.

        Args:
            until: Its number.

        Returns:
            The numbers of all events, and the reasons of all gaps.
        """
        numbers: list[int] = []
        gaps: list[str] = []
        self.missing_without_gap = []
        is_told = True
        while until not in numbers:
            frame: dict[str, Any] = self.listener.receive_json()
            if "event" in frame:
                numbers.append(frame["event"]["n"])
                if not is_told and numbers[-1] != numbers[-2] + 1:
                    self.missing_without_gap.append(numbers[-1])
                is_told = False
            elif "gap" in frame:
                gaps.append(frame["gap"])
                is_told = True
        return numbers, gaps


class OverflowTests(GapCase):
    """A server that stands still, while its queue fills."""

    def _stopped(self) -> None:
        os.kill(self.server.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.server.pid, signal.SIGCONT)

    def _go_on(self) -> None:
        os.kill(self.server.pid, signal.SIGCONT)

    def test_too_many_bytes(self) -> None:
        """The oldest events are dropped, the client is told, and gets the rest in order."""
        self.start("--queue-bytes", "20000", "--prefetch", "10")
        self.publish(0)
        self.assertEqual(self.read(0), ([0], []))
        self._stopped()
        self.publish(*range(1, 201))
        self._go_on()
        numbers, gaps = self.read(200)
        missing = self.missing_without_gap
        self.assertEqual(numbers, sorted(numbers))
        self.assertLess(len(numbers), 40)
        self.assertIn("dropped", gaps[0])
        # The gap stands where they were.
        self.assertEqual(missing, [])
        self.publish(201)
        self.assertEqual(self.read(201), ([201], []))

    def test_too_old(self) -> None:
        """Events that waited for too long are dropped, and the client is told."""
        self.start("--queue-seconds", "1", "--prefetch", "1")
        self._stopped()
        self.publish(*range(1, 6))
        time.sleep(1.5)
        self._go_on()
        wait_until(
            lambda: self.server.metric("towerws_queue_overflows_total") > 0,
            PATIENCE,
            "nobody has noticed",
        )
        self.publish(6)
        numbers, gaps = self.read(6)
        self.assertIn("dropped", gaps[0])
        self.assertLessEqual(len(numbers), 3)


class OperatorTests(GapCase):
    """What operators do to queues and users."""

    def test_queue_deleted(self) -> None:
        """The queue is replaced with its connection, and the client is told."""
        self.start("--queue-bytes", "123456")
        listed = self.node.ctl("list_queues", "name", "arguments").splitlines()
        (queue,) = [line.split()[0] for line in listed if '"x-max-length-bytes",123456' in line]
        self.node.ctl("delete_queue", queue)
        self.assertIn("lost its queue", self.listener.receive_json()["gap"])
        self.publish(1)
        self.assertEqual(self.read(1), ([1], []))
        self.assertEqual(self.server.metric("towerws_gaps_total"), 1)

    def test_permissions(self) -> None:
        """What the README says is enough; without it, the server says what it needs."""
        self.node.ctl("add_user", "tower", "t")
        self.node.ctl("set_permissions", "tower", _OURS, _OURS, _OURS)
        url = self.node.url.replace("guest:guest", "tower:t")
        server = self.start_server(broker=url, until_ready=False)
        server.wait_for_log("no events from the broker")
        self.assertIn("access to exchange 'amq.default'", server.unready() or "")
        self.node.ctl("set_permissions", "tower", _OURS, _WRITTEN, _OURS)
        wait_until(lambda: server.unready() is None, PATIENCE, "the server is not ready")
        client = self.client(server)
        client.subscribe(permitted=[1])
        self.assertEqual(server.emit("permitted-1", b'{"n": 1}')[0], 202)
        self.assertEqual(client.receive(), b'{"n": 1}')
