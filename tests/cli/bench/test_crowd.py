"""Many connections, in memory."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Network
from tests.client.memory import ACCEPT, ServerEnd, end, joined
from towerws.cli.bench import crowd
from towerws.cli.bench.crowd import CLOSE_TIMEOUT, SUBSCRIBE_TIMEOUT, TOLERANCE, Crowd
from towerws.cli.bench.observations import Observations
from towerws.client import Subscription, Target

CLOSED = Failure(ConnectionDone())


class CrowdTests(SynchronousTestCase):
    """`Crowd` opens and closes connections, in bounded numbers and bounded time."""

    def setUp(self) -> None:
        """Connect to nothing yet."""
        self.network = Network(self)
        self.reactor = self.network.reactor
        self.seen = Observations()
        subscriptions = [Subscription([f"b-{number}"]) for number in range(2)]
        self.crowd = Crowd(
            self.reactor,
            Target.parse("ws+unix:///run/a.sock"),
            None,
            subscriptions,
            self.seen,
            clock=lambda: 0,
        )

    def open(self, connections: int, rate: float = 10.0) -> "Deferred[None]":
        """Begin to open connections."""
        opening = Deferred.fromCoroutine(self.crowd.open(connections, rate))
        self.addCleanup(end, opening)
        return opening

    def subscribe(self) -> ServerEnd:
        """Let the latest attempt succeed."""
        server = self.network.accept()
        server.send(ACCEPT, joined("b-0"))
        return server

    def opened(self, connections: int) -> list[ServerEnd]:
        """Open connections."""
        opening = self.open(connections)
        servers = [self.subscribe()]
        for _ in range(connections - 1):
            self.reactor.advance(0.1)
            servers.append(self.subscribe())
        self.successResultOf(opening)
        return servers

    def test_pace(self) -> None:
        """They begin one after the other, and take the groups in turn."""
        opening = self.open(3)
        self.assertEqual(self.network.attempts, 1)
        servers = [self.subscribe()]
        self.reactor.advance(0.05)
        self.assertEqual(self.network.attempts, 1)
        for _ in range(2):
            self.reactor.advance(0.1)
            servers.append(self.subscribe())
        self.successResultOf(opening)
        self.assertEqual([each.group for each in self.crowd.subscribers], [0, 1, 0])
        self.assertEqual([b'"1"' in each.frames[0] for each in servers], [False, True, False])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_reading(self) -> None:
        """Whoever is subscribed is read from directly, until all is closed."""
        adopted: list[Protocol] = []
        self.patch(self.crowd._reading, "adopt", adopted.append)
        (server,) = self.opened(1)
        self.assertEqual(adopted, self.crowd.subscribers)
        self.assertEqual(self.reactor.getReaders(), [self.crowd._reading])
        closing = Deferred.fromCoroutine(self.crowd.close())
        server.pump.flush()
        self.successResultOf(closing)
        self.assertEqual(self.reactor.getReaders(), [])

    def test_places(self) -> None:
        """Only so many are being opened at any time."""
        self.patch(crowd, "MAX_OPENING", 2)
        self.setUp()
        self.open(4, 1000)
        for _ in range(5):
            self.reactor.advance(0.01)
        self.assertEqual(self.network.attempts, 2)
        self.subscribe()
        self.reactor.advance(0.01)
        self.assertEqual(self.network.attempts, 3)

    def test_refused_connection(self) -> None:
        """It is counted by its reason, and the others are opened."""
        opening = self.open(2)
        self.network.refuse()
        self.reactor.advance(0.1)
        self.subscribe()
        self.successResultOf(opening)
        reason = "cannot connect: Connection was refused by other side"
        self.assertEqual(self.seen.failed, {reason: 1})
        self.assertEqual(len(self.crowd.subscribers), 1)

    def test_refused_handshake(self) -> None:
        """So is an HTTP error."""
        opening = self.open(1)
        self.network.answer(b"HTTP/1.1 503 Full\r\n\r\n")
        self.successResultOf(opening)
        self.assertEqual(self.seen.failed, {"HTTP 503 Full": 1})

    def test_silent_server(self) -> None:
        """A subscription that takes too long is given up."""
        opening = self.open(1)
        transport = self.network.accept_silently()
        self.reactor.advance(SUBSCRIBE_TIMEOUT)
        self.assertTrue(transport.disconnecting)
        transport.protocol.connectionLost(CLOSED)
        self.successResultOf(opening)
        self.assertEqual(self.seen.failed, {"no answer to the handshake in time": 1})

    def test_opening_takes_too_long(self) -> None:
        """What was not tried in time is counted, and not tried."""
        self.patch(crowd, "MAX_OPENING", 1)
        self.setUp()
        opening = self.open(5)
        self.reactor.advance(5 / 10 + TOLERANCE + 0.1)
        self.network.refuse()
        self.successResultOf(opening)
        self.assertEqual(self.seen.failed["not tried: opening took too long"], 4)

    def test_cancelled(self) -> None:
        """What is being opened is given up, and what is open stays."""
        opening = self.open(4, 1000)
        server = self.subscribe()
        self.reactor.advance(0.001)
        transport = self.network.accept_silently()
        self.reactor.advance(0.001)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertIsNone(server.closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        Deferred.fromCoroutine(self.crowd.close())
        self.assertTrue(transport.disconnecting)
        transport.protocol.connectionLost(CLOSED)
        self.assertEqual(self.seen.failed, {})

    def test_cancelled_at_the_end(self) -> None:
        """The same when all have been begun."""
        opening = self.open(1)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)

    def test_close(self) -> None:
        """All connections are closed politely."""
        servers = self.opened(3)
        servers[0].drop()
        closing = Deferred.fromCoroutine(self.crowd.close())
        self.assertNoResult(closing)
        for server in servers:
            server.pump.flush()
        self.successResultOf(closing)
        self.assertEqual([server.closed for server in servers[1:]], [1000, 1000])
        self.assertEqual(self.seen.lost, {"closed without a word": 1})
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_close_without_answer(self) -> None:
        """A server that does not answer is not waited for."""
        self.opened(1)
        closing: Deferred[Any] = Deferred.fromCoroutine(self.crowd.close())
        self.reactor.advance(CLOSE_TIMEOUT)
        (subscriber,) = self.crowd.subscribers
        self.assertTrue(subscriber.transport.disconnecting)
        subscriber.connectionLost(CLOSED)
        self.successResultOf(closing)
