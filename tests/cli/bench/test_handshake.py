"""The client's opening handshake."""

import base64

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.handshake import HandshakeError, check, new_key, request
from towerws.client import Target

#: The example of RFC 6455, section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class RequestTests(SynchronousTestCase):
    """`request` asks as RFC 6455 has it."""

    def test_request(self) -> None:
        """Path, host and headers are those of the target and the user."""
        target = Target.parse("ws://[::1]:8051/websocket/?a=1")
        lines = request(target, {"Cookie": "a=b"}, KEY).decode().split("\r\n")
        self.assertEqual(lines[0], "GET /websocket/?a=1 HTTP/1.1")
        self.assertEqual(lines[-2:], ["", ""])
        for line in (
            "Host: [::1]:8051",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {KEY}",
            "Sec-WebSocket-Version: 13",
            "Cookie: a=b",
        ):
            self.assertIn(line, lines)

    def test_subprotocol(self) -> None:
        """One is offered only if it is to be."""
        target = Target.parse("ws://localhost/")
        self.assertIn(
            b"\r\nSec-WebSocket-Protocol: towerws.v1\r\n",
            request(target, {}, KEY, "towerws.v1"),
        )
        self.assertNotIn(b"Protocol", request(target, {}, KEY))

    def test_key(self) -> None:
        """Keys are 16 random bytes."""
        self.assertEqual(len(base64.b64decode(new_key())), 16)
        self.assertNotEqual(new_key(), new_key())


class CheckTests(SynchronousTestCase):
    """`check` takes the right answer only."""

    def test_answer(self) -> None:
        """Names of headers are not case-sensitive, and some servers give no reason phrase."""
        check(f"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n{ACCEPT}".encode(), KEY)
        name, _, value = ACCEPT.partition(": ")
        check(f"HTTP/1.1 101\r\n{name.lower()}:{value}".encode(), KEY)

    def test_refusals(self) -> None:
        """Everything else is told in a few words."""
        for answer, reason in (
            (b"HTTP/1.1 503 Service Unavailable\r\nA: b", "HTTP 503 Service Unavailable"),
            (b"HTTP/1.1 1010 x", "HTTP 1010 x"),
            (b"HTTP/1.1 ", "HTTP"),
            (b"SSH-2.0-x", "the answer is not HTTP"),
            (b"\xff\xfe", "the answer is not HTTP"),
            (b"HTTP/1.1 101 x", "the answer has a wrong Sec-WebSocket-Accept"),
            (f"HTTP/1.1 101 x\r\n{ACCEPT}x".encode(), "the answer has a wrong Sec-WebSocket-Acc"),
        ):
            error = self.assertRaises(HandshakeError, check, answer, KEY)
            self.assertTrue(str(error).startswith(reason), error)

    def test_subprotocol(self) -> None:
        """The server has to select what was offered."""
        answer = f"HTTP/1.1 101 Switching\r\n{ACCEPT}"
        selected = f"{answer}\r\nsec-websocket-protocol: towerws.v1".encode()
        check(selected, KEY, "towerws.v1")
        for each in (answer.encode(), selected.replace(b"v1", b"awx")):
            error = self.assertRaises(HandshakeError, check, each, KEY, "towerws.v1")
            self.assertEqual(str(error), "the server does not speak towerws.v1")

    def test_long_refusal(self) -> None:
        """What a server says is cut."""
        error = self.assertRaises(HandshakeError, check, b"HTTP/1.1 400 " + b"x" * 1000, KEY)
        self.assertEqual(len(str(error)), 105)
