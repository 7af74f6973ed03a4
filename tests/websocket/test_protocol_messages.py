"""`towerws.websocket.protocol`: messages, spoken by another library and by raw bytes."""

import random
import struct
from typing import Any

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.hubs import publish
from tests.raw_websocket import (
    SUBSCRIBE,
    SUBSCRIBE_FRAME,
    frame,
)
from tests.websocket_pair import ListenerCase, MemoryClient
from towerws.websocket.protocol import CLOSE_TIMEOUT


class MessageTests(ListenerCase):
    """Frames of clients, good and bad."""

    def setUp(self) -> None:
        """Listen as by default."""
        super().setUp()
        self.listener()

    def _gone(self, client: MemoryClient) -> None:
        client.pump()
        self.reactor.advance(0)
        self.assertIsNotNone(client.wire.closed)
        self.assertEqual(self.counted("towerws_connections"), 0)

    def test_subscribe(self) -> None:
        """A subscription is answered, and its events come byte for byte."""
        client = self.client()
        client.send('{"groups": {"jobs": ["status_changed"], "job_events": [42]}}')
        self.assertEqual(
            client.texts(),
            [
                (
                    b'{"groups_current": ["job_events-42", "jobs-status_changed"], '
                    b'"groups_left": [], '
                    b'"groups_joined": ["job_events-42", "jobs-status_changed"]}'
                )
            ],
        )
        payload = '{"ä" :1,\n "b": [ ]}'.encode()
        publish(self.hub, ("job_events-42", payload), ("job_events-43", b"{}"))
        self.assertEqual(client.texts(), [payload])

    def test_fragmented(self) -> None:
        """A message in several frames is one message, with a Ping in between."""
        client = self.client()
        client.protocol.send_text(b'{"groups": ', fin=False)
        client.protocol.send_ping(b"between")
        client.protocol.send_continuation(b'{"jobs": ', fin=False)
        client.protocol.send_continuation(b"[1]}}", fin=True)
        (reply,) = client.texts()
        self.assertIn(b'"groups_joined": ["jobs-1"]', reply)

    def test_binary(self) -> None:
        """A binary message is answered with an error; the connection goes on."""
        client = self.client()
        client.protocol.send_binary(SUBSCRIBE)
        (reply,) = client.texts()
        self.assertIn(b'{"error": "binary frames are not understood', reply)
        client.send(SUBSCRIBE)
        self.assertIn(b"groups_joined", client.texts()[0])

    def test_empty(self) -> None:
        """An empty message is not JSON."""
        client = self.client()
        client.send("")
        self.assertEqual(client.texts(), [b'{"error": "the frame is not JSON"}'])

    def test_close(self) -> None:
        """A Close is answered with 1000, whatever its code and reason."""
        for code, reason in ((1000, ""), (1001, "going away"), (4999, "x" * 123)):
            client = self.subscriber("jobs-1")
            client.protocol.send_close(code, reason)
            client.pump()
            self.assertEqual(client.close_code, 1000)
            self._gone(client)
            self.assertEqual(self.counted("towerws_groups"), 0)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_close_without_code(self) -> None:
        """A Close without a code is answered as well."""
        client = self.client()
        client.wire.deliver(frame(0x88, b""))
        client.pump()
        self.assertEqual(client.close_code, 1000)
        self._gone(client)

    def test_messages_behind_a_close(self) -> None:
        """What comes behind a Close is not heard (RFC 6455, 5.5.1)."""
        client = self.client()
        client.wire.deliver(frame(0x88, struct.pack("!H", 1000)) + SUBSCRIBE_FRAME)
        client.pump()
        self.assertEqual(self.counted("towerws_groups"), 0)
        self._gone(client)

    def test_ping(self) -> None:
        """A Ping is answered with its own payload."""
        client = self.client()
        client.wire.deliver(frame(0x89, b"are you there?"))
        client.wire.drain()
        self.assertEqual(bytes(client.wire.taken), b"\x8a\x0eare you there?")

    def _closed_with(self, client: MemoryClient, code: int) -> None:
        client.pump()
        self.assertEqual(client.close_code, code)
        # Behind a message that cannot be inflated Autobahn does not read the answer to its Close.
        self.reactor.advance(CLOSE_TIMEOUT)
        self._gone(client)

    def test_too_large(self) -> None:
        """A message over the limit is refused by its length alone, before its content comes."""
        client = self.client()
        client.wire.deliver(frame(0x81, b"", length=(1 << 16) + 1))
        self._closed_with(client, 1009)

    def test_largest(self) -> None:
        """A message of just the largest size is read."""
        client = self.client()
        client.send(b'{"x": "' + b"x" * ((1 << 16) - 9) + b'"}')
        self.assertEqual(client.texts(), [])
        self.assertEqual(self.counted('towerws_frames_total{result="ignored"}'), 1)

    def test_too_large_in_fragments(self) -> None:
        """Fragments are counted together."""
        self.listener(max_message=1000)
        client = self.client()
        client.protocol.send_text(b"x" * 600, fin=False)
        client.protocol.send_continuation(b"x" * 600, fin=False)
        self._closed_with(client, 1009)

    def test_too_large_and_going_on(self) -> None:
        """A client that goes on sending after it was refused is not buffered, and dropped."""
        client = self.client()
        client.silent = True
        client.wire.deliver(frame(0x81, b"", length=1 << 40))
        for _ in range(100):
            client.wire.deliver(b"x" * 65536)
        protocol: Any = client.wire.protocol
        self.assertLess(len(protocol.data), 65536 + 1)
        self.assertEqual(protocol.frame_data, [])
        self.reactor.advance(CLOSE_TIMEOUT)
        self.reactor.advance(0)
        self._gone(client)

    def test_bomb(self) -> None:
        """A small compressed message that would inflate over the limit is refused."""
        client = self.client(extensions=[ClientPerMessageDeflateFactory()])
        client.send(b"x" * 10_000_000)
        self._closed_with(client, 1009)

    def test_bomb_and_more(self) -> None:
        """What comes behind it is neither read nor kept."""
        client = self.client(extensions=[ClientPerMessageDeflateFactory()])
        client.silent = True
        client.send(b"x" * 10_000_000)
        for _ in range(100):
            client.wire.deliver(b"x" * 65536)
        protocol: Any = client.wire.protocol
        self.assertLess(len(protocol.data), 3 * 65536)
        self._gone(client)

    def test_bomb_in_fragments(self) -> None:
        """The same in fragments, each of which would be under it."""
        client = self.client(extensions=[ClientPerMessageDeflateFactory()])
        client.protocol.send_text(b"x" * 40_000, fin=False)
        client.protocol.send_continuation(b"x" * 40_000, fin=True)
        self._closed_with(client, 1009)

    def test_broken_compression(self) -> None:
        """Data that cannot be inflated end the connection with 1007."""
        client = self.client(extensions=[ClientPerMessageDeflateFactory()])
        client.wire.deliver(frame(0xC1, b"\xff\xff\xff\xff"))
        self._closed_with(client, 1007)

    def test_invalid_utf8(self) -> None:
        """Text that is not UTF-8 ends the connection with 1007 (RFC 6455, 8.1)."""
        for text in (b'{"x": "\xff"}', b"\xc3", b"\xed\xa0\x80"):
            client = self.client()
            client.wire.deliver(frame(0x81, text))
            self._closed_with(client, 1007)

    def test_violations(self) -> None:
        """What RFC 6455 forbids ends the connection with 1002."""
        for data in (
            b"\x81\x02{}",  # not masked
            frame(0xA1, b"{}"),  # a reserved bit
            frame(0x83, b"{}"),  # a reserved opcode
            frame(0x80, b"{}"),  # a continuation of nothing
            frame(0x09, b"x"),  # a fragmented Ping
            frame(0x89, b"x" * 126),  # a long Ping
        ):
            client = self.client()
            client.wire.deliver(data)
            self._closed_with(client, 1002)

    def test_bad_close(self) -> None:
        """A Close that is no Close ends the connection without further words."""
        for payload in (b"x", struct.pack("!H", 1005), struct.pack("!H", 999) + b"x"):
            client = self.client()
            client.wire.deliver(frame(0x88, payload))
            self._gone(client)

    def test_garbage(self) -> None:
        """Random frames are answered or end the connection; nothing raises, nothing is left."""
        chance = random.Random(21)
        for _ in range(200):
            client = self.client(
                extensions=[ClientPerMessageDeflateFactory()] if chance.random() < 0.5 else None
            )
            for _ in range(chance.randrange(1, 10)):
                payload = chance.randbytes(chance.choice((0, 1, 2, 10, 130)))
                if chance.random() < 0.2:
                    client.wire.deliver(payload)
                else:
                    client.wire.deliver(frame(chance.randrange(256), payload))
            client.leave()
        self.reactor.advance(CLOSE_TIMEOUT)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.counted("towerws_connections"), 0)

    def test_empty_fragments_without_end(self) -> None:
        """A message of ever more empty fragments takes no memory."""
        client = self.client()
        client.wire.deliver(frame(0x01, b"{"))
        for _ in range(100):
            client.wire.deliver(frame(0x00, b"") * 100)
        protocol: Any = client.wire.protocol
        kept = 0 if protocol.message_data is None else len(protocol.message_data)
        self.assertLess(kept, 1000)
