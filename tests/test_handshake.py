"""`towerws.handshake`: what is let in, and how a refusal looks to an HTTP client."""

from http import HTTPStatus

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.trial.unittest import SynchronousTestCase

from towerws import handshake

_PATHS = frozenset({"/websocket/", "/websocket"})


def _request(path: str = "/websocket/", **headers: str) -> ConnectionRequest:
    return ConnectionRequest(
        "tcp4:127.0.0.1:40000", {"host": "awx.example.org"} | headers, "", path, {}, 13, "", [], []
    )


class CheckTests(SynchronousTestCase):
    """`check` demands a path and, from browsers, an origin."""

    def _refused(self, request: ConnectionRequest, *origins: str) -> ConnectionDeny:
        return self.assertRaises(  # type: ignore[no-any-return]  # trial's is untyped
            ConnectionDeny, handshake.check, request, _PATHS, frozenset(origins)
        )

    def test_paths(self) -> None:
        """Only the named paths are the websocket's, to the letter."""
        for path in _PATHS:
            handshake.check(_request(path), _PATHS, ())
        for path in ("/", "/websocket//", "/Websocket/", "/websocket/x", "/websocket%2F", ""):
            refusal = self._refused(_request(path))
            self.assertEqual(refusal.code, HTTPStatus.NOT_FOUND)
            self.assertEqual(
                refusal.reason, "There is nothing here: the websocket is at /websocket"
            )

    def test_programs_send_no_origin(self) -> None:
        """A request without an Origin header comes from no browser and is let in."""
        handshake.check(_request(), _PATHS, ())

    def test_own_origin(self) -> None:
        """Pages of the host that is asked for may connect, whatever the proxy's scheme."""
        for origin in (
            "https://awx.example.org",
            "http://awx.example.org",
            "https://AWX.example.org",
        ):
            handshake.check(_request(origin=origin), _PATHS, ())

    def test_foreign_origin(self) -> None:
        """Pages of other hosts, ports and of no host may not, and are told what is missing."""
        for origin in (
            "https://evil.example",
            "https://awx.example.org.evil.example",
            "https://awx.example.org:8443",
            "https://evil.example#awx.example.org",
            "https://awx.example.org@evil.example",
            "file://",
            "null",
            "",
        ):
            refusal = self._refused(_request(origin=origin), "https://other.example")
            self.assertEqual(refusal.code, HTTPStatus.FORBIDDEN, origin)
            self.assertEqual(refusal.reason, "Pages of this origin may not connect; see --origin.")

    def test_allowed_origins(self) -> None:
        """Named origins may connect; a star lets in any."""
        handshake.check(
            _request(origin="https://ui.example"), _PATHS, frozenset({"https://ui.example"})
        )
        handshake.check(_request(origin="null"), _PATHS, frozenset({"null"}))
        handshake.check(_request(origin="https://any.example"), _PATHS, frozenset({"*"}))


class RefusalTests(SynchronousTestCase):
    """Refusals are correct HTTP/1.1."""

    def test_plain_request(self) -> None:
        """A browser on the websocket's path learns what it is; elsewhere it learns the path."""
        status, sentence = handshake.plain_request_refusal("/websocket", _PATHS)
        self.assertEqual(status, HTTPStatus.UPGRADE_REQUIRED)
        self.assertEqual(sentence, "This is a websocket: connect with a websocket client.")
        status, sentence = handshake.plain_request_refusal("/favicon.ico", _PATHS)
        self.assertEqual(status, HTTPStatus.NOT_FOUND)
        self.assertIn("/websocket", sentence)

    def test_framing(self) -> None:
        """Status line, length in bytes, end of the connection, headers of the caller's."""
        response = handshake.render_refusal(
            HTTPStatus.BAD_REQUEST, "Größe?", [("Sec-WebSocket-Version", "13")]
        )
        self.assertEqual(
            response,
            b"HTTP/1.1 400 Bad Request\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 9\r\n"
            b"Connection: close\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"\r\n"
            b"Gr\xc3\xb6\xc3\x9fe?\n",
        )

    def test_upgrade_required_names_the_protocol(self) -> None:
        """RFC 9110, 15.5.22 and 7.8: 426 comes with Upgrade, which Connection must name."""
        response = handshake.render_refusal(HTTPStatus.UPGRADE_REQUIRED, "No.")
        self.assertIn(b"\r\nUpgrade: websocket\r\n", response)
        self.assertIn(b"\r\nConnection: Upgrade, close\r\n", response)

    def test_method_not_allowed_names_the_method(self) -> None:
        """RFC 9110, 15.5.6: 405 comes with Allow."""
        response = handshake.render_refusal(HTTPStatus.METHOD_NOT_ALLOWED, "No.")
        self.assertIn(b"\r\nAllow: GET\r\n", response)
