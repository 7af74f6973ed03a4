"""`towerws.websocket.protocol`: faults, and the ways to end."""

import struct
from collections.abc import Collection, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.logger import capturedLogs

from tests.auth.fakes import FakeUser
from tests.expressions import logged
from tests.fakes import FakeSource
from tests.hubs import make_hub, publish
from tests.raw_websocket import SUBSCRIBE, SUBSCRIBE_FRAME, frame
from tests.websocket_pair import FakeAuthenticator, ListenerCase, MemoryClient, MemoryTransport
from towerws.core.groups import Group
from towerws.core.wire import CloseCode
from towerws.websocket.protocol import CLOSE_TIMEOUT


class FaultTests(ListenerCase):
    """A fault of ours costs one connection, which is told, and no other."""

    def setUp(self) -> None:
        """Let in one client whose access checks are broken, and others."""
        super().setUp()
        self.user = FakeUser(self._check)
        self.listener(FakeAuthenticator(lambda: succeed(self.user)))

    def _check(self, groups: Sequence[Group]) -> Collection[Group]:
        if any(group.group == "broken" for group in groups):
            raise ZeroDivisionError("secret")
        return ()

    def _client(self) -> MemoryClient:
        client = MemoryClient(self.reactor, self.factory).connect()
        self.assertEqual(client.texts(), [b'{"accept": true, "user": 7}'])
        return client

    def test_in_a_message(self) -> None:
        """An exception while a message is read: logged, 1011, the others go on."""
        other, broken = self._client(), self._client()
        other.send(SUBSCRIBE)
        other.texts()
        with capturedLogs() as logs:
            broken.send('{"groups": {"broken": [1]}}')
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("in a client's session", logged(logs))
        self.assertEqual(broken.texts(), [])
        self.assertEqual(broken.close_code, 1011)
        assert broken.protocol.close_rcvd is not None
        self.assertNotIn("secret", broken.protocol.close_rcvd.reason)
        publish(self.hub, ("jobs-1", b"{}"))
        self.assertEqual(other.texts(), [b"{}"])
        self.assertEqual(self.counted("towerws_connections"), 1)

    def test_while_the_source_speaks(self) -> None:
        """An exception in a message that waited for the source: the same; the source goes on."""
        source = FakeSource()
        self.hub = make_hub()
        self.hub.attach(source)
        self.listener(FakeAuthenticator(lambda: succeed(self.user)))
        broken, other = self._client(), self._client()
        broken.send(SUBSCRIBE)
        broken.send('{"groups": {"broken": [1]}}')
        other.send(SUBSCRIBE)
        source.confirm("jobs-1")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        for client in (broken, other):
            self.assertIn(b'"groups_joined": ["jobs-1"]', client.texts()[0])
        self.assertEqual((broken.close_code, other.close_code), (1011, None))

    def test_in_a_late_answer(self) -> None:
        """An exception in what an authenticator's late answer sets off does not come out there."""
        answer: Deferred[Collection[Group]] = Deferred()
        self.user = FakeUser(lambda groups: answer)
        broken = self._client()
        broken.send(SUBSCRIBE)
        self.patch(self.hub, "subscribe", lambda *arguments: 1 / 0)
        answer.callback(())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        broken.pump()
        self.assertEqual(broken.close_code, 1011)

    def test_at_the_start(self) -> None:
        """An exception while a client is greeted: the same, not a mute connection."""
        self.user = FakeUser(user=object())  # which no JSON can hold
        broken = MemoryClient(self.reactor, self.factory).connect()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(broken.close_code, 1011)
        self.assertEqual(self.counted("towerws_connections"), 0)


class ClosingTests(ListenerCase):
    """Closing many connections at once, and over some time."""

    def test_close_all(self) -> None:
        """All connections get the Close; those that do not answer are dropped."""
        self.listener()
        polite, deaf = self.subscriber("jobs-1"), self.subscriber("jobs-1")
        deaf.silent = True
        self.factory.crowd.close_all(CloseCode.SERVICE_RESTART, "the server stops")
        polite.pump()
        deaf.pump()
        for client in (polite, deaf):
            self.assertEqual(client.close_code, 1012)
            assert client.protocol.close_rcvd is not None
            self.assertEqual(client.protocol.close_rcvd.reason, "the server stops")
        self.assertEqual(len(self.factory.crowd.connections), 1)
        self.reactor.advance(CLOSE_TIMEOUT)
        self.reactor.advance(0)
        self.assertEqual(len(self.factory.crowd.connections), 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_close_all_twice(self) -> None:
        """A second Close is not sent; no data follow the first."""
        self.listener()
        client = self.subscriber("jobs-1")
        client.silent = True
        self.factory.crowd.close_all(CloseCode.SERVICE_RESTART, "the server stops")
        client.pump()
        self.factory.crowd.close_all(CloseCode.INTERNAL_ERROR, "again")
        publish(self.hub, ("jobs-1", b"{}"))
        client.wire.deliver(SUBSCRIBE_FRAME)
        client.wire.drain()
        self.assertEqual(bytes(client.wire.taken), b"")

    def test_gap(self) -> None:
        """After a gap the clients that were promised something go, each at its own time."""
        self.listener()
        chances = [0.0, 0.5, 0.99]
        self.factory.random = lambda: chances.pop(0)
        waiting = self.client()
        clients = [self.subscriber("jobs-1")]
        self.hub.gap("why")
        for _ in range(2):
            clients.append(self.subscriber("jobs-1"))
            self.hub.gap("why")
        for seconds, closed in ((0, 1), (2.4, 1), (0.2, 2), (2.3, 2), (0.2, 3)):
            self.reactor.advance(seconds)
            for client in clients:
                client.pump()
            codes = [client.close_code for client in clients]
            self.assertEqual(codes, [1012] * closed + [None] * (3 - closed))
        self.assertEqual(self.counted("towerws_connections"), 1)
        waiting.send(SUBSCRIBE)
        self.assertIn(b"groups_joined", waiting.texts()[0])

    def test_leaving_before_the_close_of_a_gap(self) -> None:
        """A client that goes by itself leaves no timer."""
        self.listener()
        client = self.subscriber("jobs-1")
        self.hub.gap("why")
        client.leave()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stalled_client_closes(self) -> None:
        """A client that sends a Close but does not read is dropped in bounded time."""
        self.listener()
        client = self.subscriber("jobs-1")
        client.wire.stalled = True
        publish(self.hub, ("jobs-1", b'{"x": "%s"}' % (b"x" * 100_000)))
        client.wire.deliver(frame(0x88, struct.pack("!H", 1000)))
        self.reactor.advance(60)
        self.reactor.advance(0)
        self.assertIsNotNone(client.wire.closed)
        self.assertEqual(self.counted("towerws_connections"), 0)

    def test_causes_are_counted(self) -> None:
        """Each connection that ends is counted once, by what ended it."""
        self.listener(max_message=200)
        self.subscriber("jobs-1").leave()
        self.client().send("x" * 300)
        self.client().wire.deliver(frame(0x88, struct.pack("!H", 1000)))
        self.exchange(b"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        silent, mute = self.client(), MemoryTransport(self.reactor, self.factory)
        silent.silent = True
        self.reactor.pump([1] * 60)
        self.assertIsNotNone(mute.closed)
        counted = {
            cause: self.counted(f'towerws_connections_closed_total{{cause="{cause}"}}')
            for cause in (
                "lost", "1009", "client", "handshake", "ping_timeout", "handshake_timeout", "1012"
            )
        }  # fmt: skip
        self.assertEqual(counted, dict.fromkeys(counted, 1) | {"1012": 0})

    def test_refused_close_is_told(self) -> None:
        """A client that closes with a code that nobody may send gets ours, and no reset."""
        self.listener()
        client = self.subscriber("jobs-1")
        client.silent = True
        client.wire.deliver(frame(0x88, struct.pack("!H", 1005)))
        client.wire.deliver(frame(0x88, b""))
        client.wire.drain()
        self.assertEqual(client.wire.taken[0], 0x88)
        self.assertEqual(struct.unpack("!H", client.wire.taken[2:4]), (1002,))
        assert client.wire.closed is not None
        self.assertTrue(client.wire.closed.check(ConnectionDone))

    def test_no_delay(self) -> None:
        """An event does not wait for the client to acknowledge the one before."""
        self.listener()
        self.assertTrue(self.client().wire.no_delay)
