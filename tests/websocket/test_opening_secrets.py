"""`towerws.websocket.opening`: what a client shows is neither logged nor repeated to anybody."""

from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from tests.auth.fakes import FakeUser
from tests.raw_websocket import REQUEST, SUBSCRIBE_FRAME
from tests.websocket.entrance_case import HOME, EntranceCase
from towerws.auth.errors import Unavailable

SECRET = "s3cr3t-t0k3n"

#: Where a client may have it, each a way to begin a line; in the order of a request.
_PLACES = (
    f"Cookie: sessionid={SECRET}; csrftoken={SECRET}",
    f"Authorization: Bearer {SECRET}",
    f"Sec-WebSocket-Protocol: towerws.awx, bearer.{SECRET}",
    f"X-Custom: {SECRET}",
)


class SecretsTests(EntranceCase):
    """Requests of all kinds with a token in each place."""

    def setUp(self) -> None:
        """Record all that is logged, whatever its level."""
        super().setUp()
        self.events: list[LogEvent] = []
        observer = cast("ILogObserver", self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.listen(max_message=200, max_connections_per_user=1)

    def _send(self, request: bytes) -> bytes:
        """Send a request, and then leave; give the answer, which must not have the secret."""
        lines = "".join(f"{line}\r\n" for line in _PLACES).encode()
        response, wire = self.exchange(request.replace(b"Upgrade: w", lines + b"Upgrade: w", 1))
        wire.deliver(SUBSCRIBE_FRAME)
        wire.drain()
        self.assertNotIn(SECRET.encode(), wire.taken, request)
        if wire.closed is None:
            wire.abortConnection()
        self.reactor.advance(0)
        return response

    def _assert_silent(self) -> None:
        self.assertGreater(len(self.events), 0)
        for event in self.events:
            # All of what an observer may write, and not only what the text of the event names.
            self.assertNotIn(SECRET, repr({key: str(value) for key, value in event.items()}))

    def test_let_in(self) -> None:
        """Neither a client that is let in nor one that is not."""
        answers: list[Any] = [succeed(FakeUser()), succeed(None), fail(Unavailable("away"))]
        for answer in answers:
            self.authenticator.answer = lambda answer=answer: answer  # type: ignore[misc]
            self.assertTrue(self._send(REQUEST))
        self.authenticator.answer = Deferred
        self.exchange(REQUEST)
        self.reactor.advance(60)
        self._assert_silent()

    def test_malformed(self) -> None:
        """No mistake of a client's makes the server repeat what it has sent."""
        secret = SECRET.encode()
        for good, bad in (
            (b"GET /websocket/ HTTP/1.1", b"GET /websocket/?token=" + secret),
            (b"GET /websocket/ HTTP/1.1", b"GET /websocket/#" + secret + b" HTTP/1.1"),
            (b"GET /websocket/ HTTP/1.1", b"GET http://[" + secret + b" HTTP/1.1"),
            (b"GET /websocket/ HTTP/1.1", b"GET /elsewhere?token=" + secret + b" HTTP/1.1"),
            (b"GET ", secret + b" "),
            (b"HTTP/1.1", b"HTTP/" + secret),
            (b"Host: localhost:8051", b"Host: localhost:" + secret),
            (b"Host: localhost:8051", b"Host: " + secret + b"@x"),
            (b"Upgrade: websocket", b"Upgrade: " + secret),
            (b"keep-alive, Upgrade", secret),
            (b"Version: 13", b"Version: " + secret),
            (b"Key: dGhl", b"Key: " + secret),
            (b"Key: dGhlIHNhbXBsZSBub25jZQ==", b"Key: " + secret + b'"\x27:  ' * 3),
            *(
                (b"Upgrade: w", line.replace(b"$", secret) + b"\r\nUpgrade: w")
                for line in (
                    b"Origin: $",
                    b"Origin: http://$:x",
                    b"Origin: https://$",
                    b"Sec-WebSocket-Protocol: bearer.$",
                    b"Sec-WebSocket-Protocol: \":$,\":$",
                    b"Sec-WebSocket-Extensions: permessage-deflate; $=1",
                    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=$",
                    b"$",
                    b"Cookie: a\0$",
                )
            ),
        ):  # fmt: skip
            # One of each kind a minute is logged: let none be held back.
            self.reactor.advance(61)
            self.assertIn(good, REQUEST)
            self._send(REQUEST.replace(good, bad, 1))
        self._send(REQUEST[:-2] + b"X: " + secret * 6000)
        self._assert_silent()

    def test_limits(self) -> None:
        """Neither who is over a limit."""
        self.listen(max_connections_per_address=1, max_handshakes=1)
        for _ in range(20):
            self.exchange(REQUEST, HOME)
            self._send(REQUEST)
        self._assert_silent()
