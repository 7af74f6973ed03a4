"""`towerws listen` loses nothing where the server can replay, and says so where it cannot."""

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

from tests.integration.case import ServerCase
from tests.integration.commands import Command
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess

#: More than the server keeps for a reader and the kernel for a Unix socket: 3 MB in events of
#: 10 KB.
_COUNT, _SIZE = 300, 10_000


def event(number: int, size: int = 0) -> bytes:
    """An event with a number, so many bytes long at least."""
    return (b'{"n": %d, "x": "' % number).ljust(size - 2, b"x") + b'"}'


def numbers(listening: Command) -> list[int]:
    """The numbers of the events that were printed."""
    return [json.loads(line)["n"] for line in listening.stdout.splitlines()]


class ListenCase(ServerCase):
    """A test that listens."""

    def listen(self, url: str, count: int, *options: str) -> Command:
        """Listen until so many events have come; wait until the subscription is in force."""
        group = ("listen", "resuming-1", "--url", url)
        listening = Command(*group, "--count", f"{count}", "--for", "50", *options)
        self.addCleanup(listening.stop)
        listening.wait_for("towerws: listening to")
        return listening


class SlowReaderTests(ListenCase):
    """A reader that does not keep up is closed by the server, and comes back."""

    def test_slow_reader(self) -> None:
        """It has everything, once, in order, and no gap; so has one that goes on for it."""
        directory = Path(tempfile.mkdtemp(prefix="towerws-"))
        self.addCleanup(shutil.rmtree, directory)
        url = f"ws+unix://{directory / 'socket'}"
        server = self.start_server("--listen", url.replace("ws+unix://", "unix:"))
        listening = self.listen(url, _COUNT, "--positions")
        os.kill(listening.pid, signal.SIGSTOP)
        for number in range(_COUNT):
            server.emit("resuming-1", event(number, _SIZE))
        self.assertEqual(server.metric("towerws_slow_readers_total"), 1)
        os.kill(listening.pid, signal.SIGCONT)
        self.assertEqual(listening.wait(), 0, listening.stderr)
        heard = [json.loads(line) for line in listening.stdout.splitlines()]
        self.assertEqual([each["event"]["n"] for each in heard], list(range(_COUNT)))
        self.assertIn("1013", listening.stderr)
        self.assertNotIn("gap", listening.stderr)
        behind = self.listen(url, 1, "--since", heard[-2]["position"])
        self.assertEqual((behind.wait(), numbers(behind)), (0, [_COUNT - 1]))


class StreamTests(ListenCase):
    """A server that reads a stream of RabbitMQ may die."""

    def test_killed_server(self) -> None:
        """What was published meanwhile comes from its successor, once, in order, without a gap."""
        exchange = "towerws.listen"
        options = ("--queue-type", "stream", "--exchange", exchange)
        node = shared_node()
        backend = self.backend(node.url, exchange)
        first = self.start_server(*options, broker=node.url)
        second = ServerProcess(broker=node.url)
        second.options, second.port = first.options, first.port
        second.operations_port = first.operations_port
        listening = self.listen(first.websocket_url, 30)
        for number in range(10):
            backend.publish("resuming-1", event(number))
        wait_until(lambda: len(numbers(listening)) == 10, 20, "not all events came")
        os.kill(first.pid, signal.SIGKILL)
        for number in range(10, 20):
            backend.publish("resuming-1", event(number))
        self.addCleanup(second.stop)
        self.use(second.start())
        for number in range(20, 30):
            backend.publish("resuming-1", event(number))
        self.assertEqual(listening.wait(), 0, listening.stderr)
        self.assertEqual(numbers(listening), list(range(30)))
        self.assertNotIn("gap", listening.stderr)
