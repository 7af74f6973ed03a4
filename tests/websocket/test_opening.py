"""`towerws.websocket.opening`: the opening handshake on the wire."""

import random
import re

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.raw_websocket import (
    REQUEST,
    SUBSCRIBE_FRAME,
)
from tests.websocket_pair import ListenerCase, MemoryTransport
from towerws.websocket import handshake


class RequestTests(ListenerCase):
    """The opening handshake as HTTP."""

    def setUp(self) -> None:
        """Listen as by default."""
        super().setUp()
        self.listener()

    def _refused(self, request: bytes) -> tuple[int, str, dict[str, str]]:
        """Send a request that is refused; check the framing, give status, sentence and headers."""
        response, wire = self.exchange(request)
        head, _, body = response.partition(b"\r\n\r\n")
        status, *lines = head.decode("ascii").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        matched = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Z][A-Za-z -]+", status)
        assert matched is not None, status
        self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual(int(headers["Content-Length"]), len(body))
        self.assertIn("close", headers["Connection"])
        self.assertTrue(body.endswith(b"\n"))
        self.assertIsNotNone(wire.closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(
            self.counted(f'towerws_handshakes_refused_total{{status="{matched[1]}"}}'), 1
        )
        return int(matched[1]), body.decode().strip(), headers

    def test_accepted(self) -> None:
        """RFC 6455's own example is answered with its own hash, and no server banner."""
        response, wire = self.exchange(REQUEST)
        head, _, rest = response.partition(b"\r\n\r\n")
        self.assertEqual(head.split(b"\r\n")[0], b"HTTP/1.1 101 Switching Protocols")
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
        self.assertNotIn(b"Server:", head)
        self.assertNotIn(b"Sec-WebSocket-Protocol", head)
        self.assertNotIn(b"Sec-WebSocket-Extensions", head)
        self.assertEqual(rest, b'\x81\x1e{"accept": true, "user": null}')
        self.assertIsNone(wire.closed)

    def test_byte_by_byte(self) -> None:
        """A request that comes one byte at a time is the same request."""
        wire = MemoryTransport(self.reactor, self.factory)
        for byte in REQUEST + SUBSCRIBE_FRAME:
            wire.deliver(bytes((byte,)))
        wire.drain()
        self.assertIn(b'"groups_joined": ["jobs-1"]', bytes(wire.taken))

    def test_both_paths(self) -> None:
        """The path has a slash at the end, or none; a query and an absolute form do no harm."""
        for path in (b"/websocket", b"/websocket/?token=x", b"http://localhost:8051/websocket/"):
            response, _ = self.exchange(REQUEST.replace(b"/websocket/", path, 1))
            self.assertTrue(response.startswith(b"HTTP/1.1 101 "), path)

    def test_paths_of_the_operator(self) -> None:
        """Paths that are configured replace the default ones."""
        self.listener(paths=frozenset({"/api/websocket/"}))
        self.assertEqual(self._refused(REQUEST)[0], 404)
        self.client("/api/websocket/")

    def test_not_found(self) -> None:
        """Anywhere else there is nothing, for websocket clients and for others."""
        for request in (
            REQUEST.replace(b"/websocket/", b"/elsewhere", 1),
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            self.setUp()
            status, sentence, _ = self._refused(request)
            self.assertEqual(status, 404)
            self.assertIn("the websocket is at /websocket", sentence)

    def test_plain_get(self) -> None:
        """A browser that is pointed at the websocket reads a sentence."""
        status, sentence, headers = self._refused(
            b"GET /websocket/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        self.assertEqual(status, 426)
        self.assertEqual(sentence, "This is a websocket: connect with a websocket client.")
        self.assertEqual(headers["Upgrade"], "websocket")
        self.assertIn("Upgrade", headers["Connection"])

    def test_other_methods(self) -> None:
        """Only GET begins a websocket; the answer names it."""
        for method in (b"POST", b"HEAD", b"OPTIONS", b"get"):
            self.setUp()
            status, _, headers = self._refused(REQUEST.replace(b"GET", method, 1))
            self.assertEqual((status, headers["Allow"]), (405, "GET"))

    def test_other_http_versions(self) -> None:
        """HTTP/1.0 has no Upgrade, and HTTP/2 has another; both are told so."""
        for version in (b"HTTP/1.0", b"HTTP/2.0"):
            self.setUp()
            self.assertEqual(self._refused(REQUEST.replace(b"HTTP/1.1", version, 1))[0], 505)

    def test_other_websocket_versions(self) -> None:
        """Only version 13, RFC 6455, is spoken; drafts of it had other rules for origins."""
        for version in (b"8", b"12", b"14"):
            self.setUp()
            status, _, headers = self._refused(
                REQUEST.replace(b"Version: 13", b"Version: " + version)
            )
            self.assertEqual((status, headers["Sec-WebSocket-Version"]), (400, "13"))

    def test_malformed(self) -> None:
        """What is not a handshake is a bad request, whatever is wrong with it."""
        for good, bad in (
            (b"GET /websocket/ HTTP/1.1", b"GET /websocket/"),
            (b"GET /websocket/ HTTP/1.1", b"GET /websocket/#x HTTP/1.1"),
            (b"GET /websocket/ HTTP/1.1", b"GET http://[/ HTTP/1.1"),
            (b"GET /websocket/ HTTP/1.1", b"\xff\xfe\x00 \r\n"),
            (b"Host: localhost:8051\r\n", b""),
            (b"Host: localhost:8051\r\n", b"Host: a\r\nHost: b\r\n"),
            (b"Host: localhost:8051\r\n", b"Host: a:b\r\n"),
            (b"Upgrade: websocket", b"Upgrade: h2c"),
            (b"Connection: keep-alive, Upgrade", b"Connection: close"),
            (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25j\xe9Q=="),
            (b"Sec-WebSocket-Version: 13\r\n", b""),
        ):
            self.setUp()
            self.assertEqual(self._refused(REQUEST.replace(good, bad))[0], 400, bad)

    def test_garbage(self) -> None:
        """Random bytes, with and without line ends, are refused or waited out; nothing raises."""
        chance = random.Random(20)
        for _ in range(100):
            noise = chance.randbytes(chance.randrange(1, 200))
            at = chance.randrange(len(REQUEST))
            for request in (
                noise + b"\r\n\r\n",
                REQUEST[:at] + noise + REQUEST[at:],
                REQUEST[:at] + REQUEST[at + 1 :],
            ):
                _, wire = self.exchange(request)
                self.reactor.advance(handshake.SEND_TIMEOUT)
                wire.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.counted("towerws_connections"), 0)

    def test_too_large(self) -> None:
        """A request that does not end is cut off at a limit, in one piece or in many."""
        endless = b"GET /websocket/ HTTP/1.1\r\nCookie: " + b"x" * handshake.MAX_BYTES
        self.assertEqual(self._refused(endless)[0], 431)
        wire = MemoryTransport(self.reactor, self.factory)
        for start in range(0, len(endless), 1000):
            wire.deliver(endless[start : start + 1000])
        wire.drain()
        self.assertTrue(bytes(wire.taken).startswith(b"HTTP/1.1 431 "))
        self.assertIsNotNone(wire.closed)

    def test_too_many_headers(self) -> None:
        """Thousands of headers would take long to be read, whatever separates them."""
        for separator in (b"\r\n", b"\n", b"\x85"):
            self.setUp()
            many = separator.join([b"a:"] * handshake.MAX_HEADERS)
            request = REQUEST.replace(b"Upgrade: w", many + b"\r\nUpgrade: w")
            self.assertEqual(self._refused(request)[0], 431)
        self.setUp()
        some = b"".join(b"a%d: b\r\n" % number for number in range(100))
        response, _ = self.exchange(REQUEST.replace(b"Upgrade: w", some + b"Upgrade: w"))
        self.assertTrue(response.startswith(b"HTTP/1.1 101 "))

    def test_large_cookies(self) -> None:
        """Cookies of several kilobytes, as browsers collect them, are no obstacle."""
        cookies = b"Host: localhost:8051\r\nCookie: " + b"x" * 32_000 + b"\r\n"
        response, _ = self.exchange(REQUEST.replace(b"Host: localhost:8051\r\n", cookies))
        self.assertTrue(response.startswith(b"HTTP/1.1 101 "))

    def test_never_sent(self) -> None:
        """A client that does not finish its request in time is dropped, trickling or not."""
        wire = MemoryTransport(self.reactor, self.factory)
        for byte in REQUEST[: handshake.SEND_TIMEOUT]:
            self.assertIsNone(wire.closed)
            wire.deliver(bytes((byte,)))
            self.reactor.advance(1)
        self.reactor.advance(0)
        self.assertIsNotNone(wire.closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_subprotocols(self) -> None:
        """The profile is chosen by its name; a token is not, nor is anything unknown."""
        for offered, chosen in (
            ("towerws.awx", "towerws.awx"),
            ("towerws.v9, towerws.awx, bearer.a.b.c", "towerws.awx"),
            ("bearer.a.b.c", None),
            ("towerws.v9, json", None),
            ("Towerws.AWX", None),
        ):
            response, _ = self.exchange(
                REQUEST.replace(
                    b"Upgrade: w", f"Sec-WebSocket-Protocol: {offered}\r\nUpgrade: w".encode()
                )
            )
            lines = response.decode("iso-8859-1").split("\r\n")
            self.assertEqual(lines[0], "HTTP/1.1 101 Switching Protocols")
            found = [line for line in lines if line.startswith("Sec-WebSocket-Protocol")]
            self.assertEqual(found, [f"Sec-WebSocket-Protocol: {chosen}"] if chosen else [])
            self.assertNotIn(b"bearer", response)

    def test_too_many_connections(self) -> None:
        """Above the limit there is a 503; when somebody leaves there is room again."""
        self.listener(max_connections=2)
        first, second = self.client(), self.client()
        self.assertEqual(self.exchange(REQUEST)[0].split(b"\r\n")[0].split()[1], b"503")
        self.assertEqual(self.counted("towerws_connections"), 2)
        first.leave()
        self.client()
        second.send("{}")
        self.assertEqual(second.texts(), [])

    def test_no_limit_of_connections(self) -> None:
        """Zero stands for no limit."""
        self.listener(max_connections=0)
        self.assertEqual(len({self.client() for _ in range(20)}), 20)
