"""`towerws.websocket.quiet`: what is written of what Autobahn has to say."""

from twisted.internet.defer import fail
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.expressions import logged
from tests.raw_websocket import REQUEST
from tests.websocket_pair import FakeAuthenticator, ListenerCase, MemoryClient, MemoryTransport
from towerws.auth.errors import Unavailable
from towerws.factory import PING_INTERVAL, PING_TIMEOUT
from towerws.websocket.handshake import SEND_TIMEOUT
from towerws.websocket.quiet import QuietLog


class QuietLogTests(SynchronousTestCase):
    """The log itself."""

    def setUp(self) -> None:
        """Start the clock."""
        self.now = 0.0
        self.log = QuietLog(lambda: self.now)

    def test_kinds(self) -> None:
        """One line of each kind in a minute; the next one tells how many there were."""
        with capturedLogs() as logs:
            for number in range(5):
                self.log.warn("dropping {peer}", peer=number)  # noqa: G010  # txaio's name
                self.log.info("failing {peer}", peer=number)
            self.now = 61
            self.log.warn("dropping {peer}", peer=5)  # noqa: G010
        self.assertEqual(
            logged(logs).splitlines(),
            ["dropping 0", "failing 0", "dropping 5 (4 more of this kind since the last one)"],
        )
        levels = [event["log_level"] for event in logs]
        self.assertEqual(levels, [LogLevel.warn, LogLevel.info, LogLevel.warn])

    def test_errors(self) -> None:
        """Errors are of one kind, whatever their text: it may come from outside."""
        with capturedLogs() as logs:
            self.log.error("one")
            self.log.error("another")
        self.assertEqual(logged(logs), "one")
        self.assertEqual(logs[0]["log_level"], LogLevel.error)

    def test_debug(self) -> None:
        """What only Autobahn's developers want to know is not written."""
        with capturedLogs() as logs:
            self.log.debug("received {octets}", octets=1)
        self.assertEqual(logs, [])


class RefusalTests(ListenerCase):
    """Autobahn uses it."""

    def test_limit(self) -> None:
        """What goes over a limit is one line as well: ours, which says who it was."""
        self.listener(max_connections=1)
        self.client()
        with capturedLogs() as logs:
            for _ in range(10):
                MemoryClient(self.reactor, self.factory).connect()
        self.assertEqual(len(logs), 1)
        self.assertIn("over the limit connections: address 127.0.0.1", logged(logs))

    def test_unavailable(self) -> None:
        """So is what cannot be found out, with the reason."""
        self.listener(FakeAuthenticator(lambda: fail(Unavailable("the backend is away"))))
        with capturedLogs() as logs:
            for _ in range(10):
                MemoryClient(self.reactor, self.factory).connect()
        self.assertEqual(logged(logs), "a client cannot be authenticated: the backend is away")

    def test_storm(self) -> None:
        """A thousand wrong handshakes are one line, and are counted."""
        self.listener()
        with capturedLogs() as logs:
            for _ in range(1000):
                wire = MemoryTransport(self.reactor, self.factory)
                wire.deliver(REQUEST.replace(b"/websocket/", b"/elsewhere/"))
                wire.drain()
        self.assertIn("There is nothing here", logged(logs))
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.counted('towerws_handshakes_refused_total{status="404"}'), 1000)

    def test_handshake_timeout(self) -> None:
        """What times out has one line, which only Autobahn writes."""
        self.listener()
        MemoryTransport(self.reactor, self.factory)
        with capturedLogs() as logs:
            self.reactor.pump([1] * (SEND_TIMEOUT + 1))
        self.assertEqual(len(logs), 1, logged(logs))
        self.assertIn("opening handshake timeout", logged(logs))

    def test_ping_timeout(self) -> None:
        """So has a client that does not answer."""
        self.listener()
        client = self.client()
        client.silent = True
        with capturedLogs() as logs:
            for _ in range(PING_INTERVAL + PING_TIMEOUT + 1):
                self.reactor.advance(1)
        self.assertEqual(len(logs), 1, logged(logs))
        self.assertIn("ping timeout", logged(logs))
