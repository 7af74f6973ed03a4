"""`towerws.notify` with brokers that go, and peers that are none."""

import signal
import socket
import time
from typing import Never

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.loopback import free_ports
from tests.integration.notify_case import bounded
from tests.integration.rabbitmq import shared_node
from towerws.notify import Publisher, Unreachable


class RestartTests(SynchronousTestCase):
    """A broker, with TLS, that dies and comes back."""

    def test_killed_and_back(self) -> None:
        """While it is away events are dropped at once; then they flow again."""
        node = shared_node(breakable=True)
        url = f"amqps://localhost:{node.tls_port}?cacertfile={node.cafile}"
        publisher = Publisher(url, pause=0.1, longest_pause=0.1)
        self.addCleanup(publisher.close)
        publisher.emit("jobs-summary", {}, strict=True)

        node.kill()
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            for _ in range(20):
                bounded(0.0, lambda: publisher.emit("jobs-summary", {}))
        self.assertIn("Connection refused", logs.output[0])
        self.assertEqual((publisher.published, publisher.dropped), (1, 20))

        node.start()
        time.sleep(0.1)
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            publisher.emit("jobs-summary", {}, strict=True)
        self.assertIn("publishing again (20 events dropped so far)", logs.output[0])
        stranger = Publisher(f"amqps://localhost:{node.tls_port}")
        with stranger, self.assertRaisesRegex(Unreachable, "CERTIFICATE_VERIFY_FAILED"):
            stranger.emit("jobs-summary", {}, strict=True)


class AwayTests(SynchronousTestCase):
    """Peers that are away, each in its own way, whatever the URL."""

    def _fails(self, url: str, reason: str, *, within: float) -> None:
        publisher = Publisher(url, timeout=0.5)
        with publisher, self.assertRaisesRegex(Unreachable, reason):
            bounded(within, lambda: publisher.emit("jobs-summary", {}, strict=True))

    def test_refused(self) -> None:
        """Nobody listens on the port."""
        (port,) = free_ports(1)
        for scheme in ("amqp", "http"):
            self._fails(f"{scheme}://127.0.0.1:{port}", "Connection refused", within=0.0)

    def test_silent(self) -> None:
        """Somebody listens, and never says a word."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            for scheme in ("amqp", "amqps", "http", "https"):
                self._fails(f"{scheme}://127.0.0.1:{port}", "", within=0.5)

    def test_black_hole(self) -> None:
        """Not even the connection is answered: the queue of the listening socket is full."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            port = listening.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]
            for filler in waiting:
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            for scheme in ("amqp", "http"):
                self._fails(f"{scheme}://127.0.0.1:{port}", "", within=0.5)

    def test_interrupted(self) -> None:
        """A signal's exception ends the wait, wherever it strikes; a Celery time limit does so."""

        class TimeLimitError(Exception):
            """Raised by the signal."""

        def interrupt(*_: object) -> Never:
            raise TimeLimitError

        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, interrupt))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            for scheme in ("amqp", "amqps", "http", "https"):
                with Publisher(f"{scheme}://127.0.0.1:{port}", timeout=5.0) as publisher:
                    signal.setitimer(signal.ITIMER_REAL, 0.1)
                    with self.assertRaises(TimeLimitError):
                        publisher.emit("jobs-summary", {}, strict=True)

    def test_no_socket(self) -> None:
        """There is no such Unix socket."""
        self._fails("unix:///nonexistent/x.sock", "No such file", within=0.0)
