"""Bare bytes against the real server: what RFC 6455 allows, and what it does not."""

import socket
import time
import zlib

from tests.integration.case import SharedServerCase
from tests.integration.raw import CLOSE, PING, PONG, TEXT, Frame, RawClient, encode_frame, handshake
from tests.integration.server import ServerProcess

#: A request for permessage-deflate as browsers make it.
_DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


class RawTests(SharedServerCase):
    """Bytes as RFC 6455 has them."""

    def raw(
        self, server: ServerProcess | None = None, receive_buffer: int | None = None
    ) -> RawClient:
        """Open a TCP connection that is closed when the test ends."""
        client = RawClient((server or self.server).port, receive_buffer=receive_buffer)
        self.addCleanup(client.close)
        return client

    def test_byte_for_byte(self) -> None:
        """An event arrives as it was published, in one frame with the shortest length."""
        client = self.raw()
        client.open()
        client.subscribe("raw", "1")
        published = [b' {"b":1,\t"a": 1.0e2, "a": "\\u00e9\xc3\xa9"}\r\n']
        published += [b'{"": "%s"}' % (b"x" * (size - 8)) for size in (125, 126, 65535, 65536)]
        for payload in published:
            self.emit("raw-1", payload)
            self.assertEqual(client.read_frame(), Frame(0x81, payload))

    def test_at_once(self) -> None:
        """An event right behind a reply waits for no acknowledgement of TCP, which takes 40 ms."""
        client = self.raw()
        client.open()
        waits = []
        for n in range(20):
            client.subscribe("atonce", str(n))
            self.emit(f"atonce-{n}", b"{}")
            began = time.monotonic()
            client.read_frame()
            waits.append(time.monotonic() - began)
        # With Nagle's algorithm all of them take that long; on a busy machine some may anyway.
        self.assertLess(min(waits), 0.02)

    def test_compressed(self) -> None:
        """A large event is compressed for who asked for it, a small one is not."""
        client = self.raw()
        lines = client.open([_DEFLATE])
        self.assertTrue(any("permessage-deflate" in line for line in lines), lines)
        client.subscribe("rawdeflate", "1")
        large = b'{"stdout": "%s"}' % (b"ok: [host]\\r\\n" * 1000)
        for _ in range(2):
            self.emit("rawdeflate-1", large)
            frame = client.read_frame()
            self.assertEqual(frame.first, 0xC1)
            self.assertLess(len(frame.payload), len(large) // 10)
            inflated = zlib.decompressobj(-12).decompress(frame.payload + b"\x00\x00\xff\xff")
            self.assertEqual(inflated, large)
        self.emit("rawdeflate-1", b'{"small": 1}')
        self.assertEqual(client.read_frame(), Frame(0x81, b'{"small": 1}'))

    def test_close(self) -> None:
        """A Close with any code is answered with 1000, and the connection ends."""
        for payload in (b"", b"\x03\xe8", (4001).to_bytes(2) + b"going away \xe2\x9c\x93"):
            client = self.raw()
            client.open()
            client.send(encode_frame(payload, CLOSE))
            self.assertEqual(client.read_frame().close_code, 1000)
            self.assertEqual(client.read_to_end(), b"")

    def test_fragments(self) -> None:
        """A message in fragments, with a Ping between them."""
        client = self.raw()
        client.open()
        client.send(
            encode_frame(b'{"groups": {"frag', fin=False)
            + encode_frame(b'ments": ', 0, fin=False)
            + encode_frame(b"still there?", PING)
            + encode_frame(b"[1]}}", 0)
        )
        self.assertEqual(client.read_frame(), Frame(0x80 | PONG, b"still there?"))
        self.assertIn(b'"groups_joined": ["fragments-1"]', client.read_frame().payload)

    def test_byte_by_byte(self) -> None:
        """A client that sends single bytes is served like any other."""
        client = self.raw()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in handshake():
            client.send(bytes([byte]))
        self.assertIn("101", client.read_head()[0])
        for byte in encode_frame(b'{"groups": {}}'):
            client.send(bytes([byte]))
        self.assertIn(b'"accept"', client.read_frame().payload)
        self.assertIn(b'"groups_current": []', client.read_frame().payload)

    def test_in_one_piece(self) -> None:
        """A client that does not wait for the handshake's end is served, in order."""
        client = self.raw()
        client.send(
            handshake() + b"".join(encode_frame(b'{"groups": {"n": [%d]}}' % n) for n in range(9))
        )
        self.assertIn("101", client.read_head()[0])
        client.read_frame()
        for n in range(9):
            self.assertIn(b'"groups_current": ["n-%d"]' % n, client.read_frame().payload)

    def test_breaches(self) -> None:
        """Breaches of RFC 6455 get the close code that it has for them."""
        breaches = {
            "a frame that is not masked": (b"\x81\x02{}", 1002),
            "a reserved bit": (bytes([0xC1]) + encode_frame(b"{}")[1:], 1002),
            "a reserved opcode": (encode_frame(b"{}", 0x3), 1002),
            "a continuation of nothing": (encode_frame(b"{}", 0), 1002),
            "text that is not UTF-8": (encode_frame(b"\xff"), 1007),
            "a close code that nobody may send": (encode_frame(b"\x03\xed", CLOSE), 1002),
            "a frame of 2^62 bytes": (b"\x81\xff\x40" + bytes(11), 1009),
        }
        for breach, (data, code) in breaches.items():
            client = self.raw()
            client.open()
            client.send(data)
            self.assertEqual(client.read_frame().close_code, code, breach)
            client.send(encode_frame(b"", CLOSE))
            self.assertEqual(client.read_to_end(), b"", breach)

    def test_plain_requests(self) -> None:
        """Requests that ask for no websocket are answered with a status and a sentence."""
        requests = {
            b"GET /websocket/ HTTP/1.1": (
                "426 Upgrade Required",
                b"connect with a websocket client",
            ),
            b"GET /websocket HTTP/1.1": (
                "426 Upgrade Required",
                b"connect with a websocket client",
            ),
            b"GET / HTTP/1.1": ("404 Not Found", b"the websocket is at"),
            b"GET /websocket/x?y HTTP/1.1": ("404 Not Found", b"the websocket is at"),
            b"POST /websocket/ HTTP/1.1": ("405 Method Not Allowed", b""),
        }
        for line, (status, sentence) in requests.items():
            client = self.raw()
            client.send(line + b"\r\nHost: 127.0.0.1\r\n\r\n")
            self.assertEqual(client.read_head()[0], f"HTTP/1.1 {status}", line)
            self.assertIn(sentence, client.read_to_end())

    def test_refused_handshakes(self) -> None:
        """Another path, and a page of another site."""
        for request, status in (
            (handshake("/other"), "HTTP/1.1 404 Not Found"),
            (handshake(headers=["Origin: https://evil.example"]), "HTTP/1.1 403 Forbidden"),
        ):
            client = self.raw()
            client.send(request)
            self.assertEqual(client.read_head()[0], status)
            self.assertNotEqual(client.read_to_end(), b"")

    def test_not_a_websocket(self) -> None:
        """Whatever else is sent ends the connection, and nothing but it."""
        garbage = [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
            + bytes(range(256))
            + b"\r\n\r\n",  # TLS
            b"AMQP\x00\x00\x09\x01\r\n\r\n",
            b"\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            b"GET /websocket/ HTTP/1.1\r\nHost\r\n\xff: \xff\r\n\r\n",
            b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
        ]
        for data in garbage:
            client = self.raw()
            client.send(data)
            answer = client.read_to_end()
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4"), (data, answer))

    def test_half_a_handshake(self) -> None:
        """A client that leaves in the middle of its handshake, in order or not, leaves nothing."""
        server = self.start_server()
        request = handshake()
        for length in (0, 1, len(request) // 2, len(request) - 1):
            client = self.raw(server)
            client.send(request[:length])
            client.close()
        client = self.raw(server)
        client.open()
        self.assertEqual(server.metric("towerws_connections"), 1)
        self.assertEqual(server.metric("towerws_connections_total"), 1)

    def test_message_type(self) -> None:
        """All frames of the server are text, complete and without masks."""
        client = self.raw()
        client.open()
        client.send(encode_frame(b'{"groups": {}}', TEXT))
        self.assertEqual(client.read_frame().first, 0x81)
        client.send(encode_frame(b"?"))
        self.assertEqual(client.read_frame().first, 0x81)
