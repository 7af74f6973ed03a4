"""`towerws.websocket.handshake`: what is let in, and how a refusal looks to an HTTP client."""

from http import HTTPStatus

from autobahn.websocket.types import ConnectionDeny
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.auth.handshake import Handshake
from towerws.websocket import handshake

_PATHS = frozenset({"/websocket/", "/websocket"})


def _request(path: str = "/websocket/", **headers: str) -> Handshake:
    return Handshake(path, "127.0.0.1", {"host": "awx.example.org"} | headers)


class HeadersTests(SynchronousTestCase):
    """`read_headers` finds the headers that a strict reader finds."""

    def _read(self, *lines: bytes) -> dict[str, str]:
        return dict(
            handshake.read_headers(b"GET / HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")
        )

    def test_values(self) -> None:
        """Names in lower case, values without blanks around, empty ones and colons included."""
        self.assertEqual(
            self._read(b"Host: a", b"X-Empty:", b"X-URL: \t http://b:80 ", b"Odd-*~!: \xe9"),
            {"host": "a", "x-empty": "", "x-url": "http://b:80", "odd-*~!": "\xe9"},
        )
        self.assertEqual(self._read(), {})

    def test_repeated(self) -> None:
        """Repeated headers are one, in order; cookies stay cookies."""
        self.assertEqual(
            self._read(
                b"X-Forwarded-For: a", b"Cookie: a=1", b"x-forwarded-for: b", b"Cookie: b=2"
            ),
            {"x-forwarded-for": "a, b", "cookie": "a=1; b=2"},
        )

    def test_no_other_line_ends(self) -> None:
        """What Unicode takes for the end of a line is a byte as any other."""
        for byte in (b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85"):
            headers = self._read(b"Host: a", b"Cookie: a=1" + byte + b"X-Forwarded-For: 192.0.2.1")
            self.assertEqual(headers.keys(), {"host", "cookie"})
            self.assertTrue(headers["cookie"].endswith("X-Forwarded-For: 192.0.2.1"))

    def test_no_headers(self) -> None:
        """Lines that are none are refused, whatever others make of them."""
        for line in (
            b"no colon", b": nameless", b"Host : a", b" X-Folded: a", b"\tfolded", b"N\xe9: a",
            b"X: a\nX-Forwarded-For: b", b"X: a\rX-Forwarded-For: b", b"X: a\0b", b"(): a",
        ):  # fmt: skip
            refusal = self.assertRaises(ConnectionDeny, self._read, b"Host: a", line)
            self.assertEqual(refusal.code, HTTPStatus.BAD_REQUEST)
            self.assertEqual(refusal.reason, "A line of the request is not a header.")

    @given(st.binary(max_size=100))
    @PROPERTY
    def test_any_bytes(self, line: bytes) -> None:
        """Whatever a line has in it, it is a header of its own name or none."""
        try:
            headers = self._read(b"Host: a", b"X-Any: " + line)
        except ConnectionDeny:
            return
        if b"\r\n" not in line:
            self.assertEqual(headers.keys(), {"host", "x-any"})

    def test_lists(self) -> None:
        """Lists are taken apart at commas; empty elements do not count."""
        for value, elements in (
            ("", ()),
            ("towerws.awx", ("towerws.awx",)),
            (" a ,b,, \tc,", ("a", "b", "c")),
        ):
            self.assertEqual(handshake.split_list(value), elements)


class CheckTests(SynchronousTestCase):
    """`check` demands a path and, from browsers, an origin."""

    def _refused(
        self, request: Handshake, *origins: str, scheme: str | None = None, guard: bool = False
    ) -> ConnectionDeny:
        return self.assertRaises(  # type: ignore[no-any-return]  # trial's is untyped
            ConnectionDeny, handshake.check, request, _PATHS, frozenset(origins), scheme=scheme,
            guard_rebinding=guard,
        )  # fmt: skip

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

    def test_hosts(self) -> None:
        """A Host that is none is refused, with an origin and without."""
        for host in ("", "a b", "a@b", "a/b", "[::1", "a,b", "a\x85b", "http://a"):
            for headers in ({}, {"origin": f"https://{host}"}, {"origin": "https://ui.example"}):
                refusal = self._refused(_request(host=host, **headers), "https://ui.example")
                self.assertEqual(refusal.code, HTTPStatus.BAD_REQUEST)
        # Autobahn may have found one that is none.
        nameless = Handshake("/websocket", "", {})
        self.assertEqual(self._refused(nameless).reason, "The Host header is no host.")
        for host in ("localhost", "a_b.example:8051", "192.0.2.1", "[::1]:80"):
            handshake.check(_request(host=host), _PATHS, ())

    def test_programs_send_no_origin(self) -> None:
        """A request without an Origin header comes from no browser and is let in."""
        handshake.check(_request(), _PATHS, (), scheme="https", guard_rebinding=True)

    def test_own_origin(self) -> None:
        """Pages of the host that is asked for may connect, whatever the proxy's scheme."""
        for origin in (
            "https://awx.example.org",
            "http://awx.example.org",
            "https://AWX.example.org",
        ):
            handshake.check(_request(origin=origin), _PATHS, ())

    def test_own_scheme(self) -> None:
        """If the scheme is known, pages of the other one may not, unless they are named."""
        handshake.check(_request(origin="https://awx.example.org"), _PATHS, (), scheme="https")
        insecure = _request(origin="http://awx.example.org")
        self.assertEqual(self._refused(insecure, scheme="https").code, HTTPStatus.FORBIDDEN)
        handshake.check(insecure, _PATHS, {"http://awx.example.org"}, scheme="https")

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
        for origin, allowed in (
            ("https://ui.example", "https://ui.example"),
            ("null", "null"),
            ("https://any.example", "*"),
        ):
            handshake.check(
                _request(origin=origin), _PATHS, {allowed}, scheme="https", guard_rebinding=True
            )

    def test_rebinding(self) -> None:
        """Where everybody may connect, a page's own name has to be named or be this machine's."""
        for host in ("localhost:8051", "ui.localhost", "127.0.0.1:8051", "[::1]:8051", "192.0.2.1"):
            request = _request(host=host, origin=f"http://{host}")
            handshake.check(request, _PATHS, (), guard_rebinding=True)
        for host in ("evil.example:8051", "evil-localhost", "127.0.0.1.evil.example"):
            request = _request(host=host, origin=f"http://{host}")
            handshake.check(request, _PATHS, ())
            refusal = self._refused(request, "https://ui.example", guard=True)
            self.assertEqual(refusal.code, HTTPStatus.FORBIDDEN)
            self.assertIn("have to be named; see --origin.", refusal.reason)

    def test_memory(self) -> None:
        """Of pages it is remembered whose they are, and of no more than some."""
        for number in range(handshake.REMEMBERED_PAGES + 1):
            host = f"awx{number}.example.org"
            handshake.check(_request(host=host, origin=f"https://{host}"), _PATHS, ())
        self.assertEqual(handshake._look_at_page.cache_info().currsize, handshake.REMEMBERED_PAGES)


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

    def test_required_headers(self) -> None:
        """RFC 9110 (15.5.22, 7.8, 15.5.6) and RFC 6585 (4): what some statuses come with."""
        for status, lines in (
            (HTTPStatus.UPGRADE_REQUIRED, b"Upgrade: websocket\r\nConnection: Upgrade, close"),
            (HTTPStatus.METHOD_NOT_ALLOWED, b"Allow: GET\r\nConnection: close"),
            (HTTPStatus.TOO_MANY_REQUESTS, b"Retry-After: 10\r\nConnection: close"),
            (HTTPStatus.SERVICE_UNAVAILABLE, b"Retry-After: 10\r\nConnection: close"),
        ):
            response = handshake.render_refusal(status, "No.")
            self.assertIn(b"\r\n" + lines + b"\r\n", response)

    def test_quotes(self) -> None:
        """What a sentence of Autobahn's repeats is taken out; ours stay as they are."""
        for status, sentence, expected in (
            (400, 'duplicate protocol "bearer.x" specified', "duplicate protocol"),
            (400, "illegal value 'x' for 'y'", "illegal value"),
            (400, "HTTP Origin header invalid: x: y", "HTTP Origin header invalid"),
            (400, "Error during parsing of headers : x", "Error during parsing of headers"),
            (400, "version 8 not supported (supported: 13)", "version 8 not supported"),
            (400, 'bad key (must be 24) "a" and\n"b"', "bad key (must be 24)"),
            (400, "HTTP Connection header missing", "HTTP Connection header missing"),
            (500, "Internal server error: x", "Internal server error"),
            (405, 'HTTP method "x" not allowed', "A websocket begins with GET."),
            (505, 'Unsupported HTTP version "x"', "A websocket begins with HTTP/1.1."),
            (404, "The websocket is at: /'x'", "The websocket is at: /'x'"),
        ):
            self.assertEqual(handshake.without_quotes(HTTPStatus(status), sentence), expected)
