"""`towerws.websocket.opening`: who connects, found out in bounded time."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from websockets.exceptions import InvalidStatus

from tests.auth.fakes import FakeUser
from tests.expressions import logged, raise_error
from tests.raw_websocket import REQUEST, SUBSCRIBE_FRAME, frame
from tests.websocket_pair import FakeAuthenticator, ListenerCase, MemoryClient, MemoryTransport
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IUser
from towerws.auth.portal import NOBODY
from towerws.websocket import handshake
from towerws.websocket.protocol import CLOSE_TIMEOUT


class AuthenticationTests(ListenerCase):
    """The authenticator decides, in its own time and within ours."""

    def setUp(self) -> None:
        """Listen with an authenticator whose answers the test gives."""
        super().setUp()
        self.cancelled: list[Deferred[IUser | None]] = []
        self.answer: Deferred[IUser | None] = Deferred(self.cancelled.append)
        self.authenticator = FakeAuthenticator(lambda: self.answer)
        self.listener(self.authenticator)

    def _nothing_is_left(self) -> None:
        """Nobody is connected or subscribed, and no timer waits for anybody."""
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.counted("towerws_connections"), 0)
        self.assertEqual(self.counted("towerws_groups"), 0)
        self.assertEqual(self.counted("towerws_connections_total"), 0)
        self.assertEqual(self.factory.countConnections, 0)

    def test_sees_the_request(self) -> None:
        """It gets path, headers, subprotocols and the address."""
        self.client_task(
            path="/websocket/?a=b",
            headers=[
                ("Cookie", "awx_sessionid=x"),
                ("Sec-WebSocket-Protocol", "towerws.v9, bearer.a.b.c"),
            ],
        )
        (shown,) = self.authenticator.shown
        self.assertIsInstance(shown, Handshake)
        self.assertEqual(shown.path, "/websocket/")
        self.assertEqual(shown.cookies, {"awx_sessionid": "x"})
        self.assertEqual(shown.headers["host"], "127.0.0.1:8051")
        self.assertEqual(shown.subprotocols, ("towerws.v9", "bearer.a.b.c"))
        self.assertEqual(shown.address, "127.0.0.1")
        self.assertIsNone(shown.certificate)

    def client_task(self, **options: Any) -> MemoryClient:
        """Connect a client that is not answered at once."""
        return MemoryClient(self.reactor, self.factory, **options).connect()

    def test_not_asked_about_what_is_refused_anyway(self) -> None:
        """A wrong path or origin is refused without bothering the authenticator."""
        self.client_task(path="/elsewhere")
        self.client_task(headers=[("Origin", "https://evil.example")])
        self.assertEqual(self.authenticator.shown, [])

    def test_slow(self) -> None:
        """The client is answered when the authenticator answers, not before."""
        client = self.client_task()
        self.reactor.advance(handshake.AUTHENTICATION_TIMEOUT - 0.1)
        client.pump()
        self.assertIsNone(client.response)
        self.answer.callback(FakeUser())
        self.assertEqual(client.texts(), [b'{"accept": true, "user": 7}'])
        self.assertEqual(self.counted("towerws_connections"), 1)
        client.leave()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_early_frames(self) -> None:
        """Frames of a client that does not wait for the answer are taken up after it, in order."""
        tricky = frame(0x81, b'{"groups": {"jobs": [2]}, "xrftoken": "\\r\\n\r\n\r\n"}')
        wire = MemoryTransport(self.reactor, self.factory)
        wire.deliver(REQUEST + SUBSCRIBE_FRAME)
        wire.deliver(tricky[:7])
        wire.deliver(tricky[7:])
        wire.deliver(frame(0x89, b"\r\n\r\n" + REQUEST[:100]))
        self.assertEqual(len(self.authenticator.shown), 1)
        self.answer.callback(NOBODY)
        wire.drain()
        sent = bytes(wire.taken)
        self.assertEqual(sent.count(b"HTTP/1.1 "), 1)
        self.assertLess(sent.index(b'"accept"'), sent.index(b'["jobs-1"]'))
        self.assertIn(b"the frame is not JSON", sent)
        self.assertTrue(sent.endswith(b"\x8a\x68\r\n\r\n" + REQUEST[:100]))

    def test_refused_meanwhile(self) -> None:
        """An answer for a client that was refused meanwhile, and still hangs there, is dropped."""
        wire = MemoryTransport(self.reactor, self.factory)
        wire.stalled = True
        wire.deliver(REQUEST)
        wire.deliver(b"x" * (handshake.MAX_BYTES + 1))
        self.answer.callback(NOBODY)
        self.assertEqual(self.counted("towerws_connections_total"), 0)
        self.reactor.advance(CLOSE_TIMEOUT)
        self.reactor.advance(0)
        self.assertIsNotNone(wire.closed)
        self._nothing_is_left()

    def test_too_many_early_frames(self) -> None:
        """What may be sent early is limited; the client is refused, not buffered."""
        wire = MemoryTransport(self.reactor, self.factory)
        wire.deliver(REQUEST)
        for _ in range(handshake.MAX_BYTES // 1000 + 1):
            wire.deliver(b"\x00" * 1000)
        wire.drain()
        self.assertTrue(bytes(wire.taken).startswith(b"HTTP/1.1 431 "))
        self.assertIsNotNone(wire.closed)
        self.assertEqual(len(self.cancelled), 1)
        self._nothing_is_left()

    def test_not_authenticated(self) -> None:
        """Who is nobody is let in to be told so, and closed in a way that AWX's clients accept."""
        client = self.client_task()
        self.answer.callback(None)
        self.assertEqual(client.texts(), [b'{"close": true}'])
        self.assertEqual(client.close_code, 1000)
        self.assertIsNotNone(client.wire.closed)
        self.assertEqual(self.counted("towerws_connections"), 0)

    def test_not_authenticated_and_deaf(self) -> None:
        """Who is nobody and does not leave is dropped; what it sends meanwhile is not heard."""
        client = self.client_task()
        client.silent = True
        self.answer.callback(None)
        client.wire.drain()
        client.wire.deliver(SUBSCRIBE_FRAME)
        self.assertEqual(self.counted("towerws_groups"), 0)
        self.reactor.advance(CLOSE_TIMEOUT)
        self.reactor.advance(0)
        self.assertIsNotNone(client.wire.closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_too_slow(self) -> None:
        """After a while the client is refused, soon enough for AWX's, and the work is cancelled."""
        client = self.client_task()
        with capturedLogs() as logs:
            self.reactor.advance(3)
        self.assertIn("no answer came within 2.75 s", logged(logs))
        client.pump()
        self.assertIsInstance(client.protocol.handshake_exc, InvalidStatus)
        assert client.response is not None
        self.assertEqual(client.response.status_code, 503)
        self.assertEqual(client.response.body, b"Authentication took too long.\n")
        self.assertEqual(self.cancelled, [self.answer])
        self._nothing_is_left()

    def test_deaf_to_cancellation(self) -> None:
        """The same holds for an authenticator that does not let itself be cancelled."""

        def stubborn() -> Deferred[IUser | None]:
            return Deferred[Any]().addErrback(lambda cancelled: Deferred())

        self.authenticator.answer = stubborn
        client = self.client_task()
        self.reactor.advance(3)
        client.pump()
        assert client.response is not None
        self.assertEqual(client.response.status_code, 503)
        self._nothing_is_left()

    def test_answers_after_its_time(self) -> None:
        """An answer that comes in spite of the cancellation is dropped, an error as well."""

        async def stubborn(late: Deferred[IUser | None]) -> IUser | None:
            try:
                await Deferred()
            except CancelledError:
                await deferLater(self.reactor, 5)
            return await late

        answers: list[Deferred[Any]] = [succeed(NOBODY), fail(RuntimeError("late"))]
        for late in answers:
            self.answer = Deferred.fromCoroutine(stubborn(late))
            client = self.client_task()
            self.reactor.advance(3)
            client.pump()
            self.reactor.advance(5)
            client.pump()
            assert client.response is not None
            self.assertEqual(client.response.status_code, 503)
            self._nothing_is_left()

    def _fails(self) -> None:
        with capturedLogs() as logs:
            client = self.client_task()
        assert client.response is not None
        self.assertEqual(client.response.status_code, 500)
        self.assertEqual(client.response.body, b"Authentication failed by a fault of the server.\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("while authenticating a client", logged(logs))
        self._nothing_is_left()

    def test_fails(self) -> None:
        """A fault of the authenticator is ours: logged, and nothing of its text leaves."""
        self.authenticator.answer = lambda: fail(ZeroDivisionError("secret"))
        self._fails()

    def test_raises(self) -> None:
        """The same if it does not even come to a Deferred."""
        self.authenticator.answer = lambda: raise_error(ZeroDivisionError("secret"))
        self._fails()

    def test_client_leaves(self) -> None:
        """A client that leaves meanwhile leaves nothing behind, and the work is cancelled."""
        client = self.client_task()
        client.leave()
        self.assertEqual(self.cancelled, [self.answer])
        self._nothing_is_left()

    def test_client_leaves_a_stubborn_one(self) -> None:
        """The same when the authenticator answers all the same."""
        self.answer = Deferred(lambda answer: answer.callback(NOBODY))
        client = self.client_task()
        client.leave()
        self._nothing_is_left()

    def test_client_closes_politely(self) -> None:
        """The same when the client hangs up as TCP does: its end is read, and the rest dropped."""
        client = self.client_task()
        client.wire.deliver(SUBSCRIBE_FRAME)
        client.wire.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.cancelled, [self.answer])
        self._nothing_is_left()
