"""The client's framing, with every cut into reads that hypothesis thinks of."""

import struct
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.cli.bench.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameReader,
    Message,
    encode_frame,
)

LIMIT = 70_000


def server_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Write a frame as a server does."""
    size = len(payload)
    first = opcode | (0x80 if fin else 0)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def read_all(reads: Sequence[bytes], limit: int = LIMIT) -> list[Message]:
    """Read a stream to its end."""
    reader = FrameReader(limit)
    return [message for data in reads for message in reader.feed(data)]


def cut(stream: bytes, points: Sequence[int]) -> list[bytes]:
    """Cut a stream into reads."""
    places = sorted({point % (len(stream) + 1) for point in points} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


CONTROL = st.tuples(st.sampled_from([CLOSE, PING, PONG]), st.binary(max_size=125))
#: A message in fragments, and what stands between them.
MESSAGE = st.tuples(
    st.sampled_from([TEXT, BINARY]),
    st.lists(st.tuples(st.binary(max_size=300), st.lists(CONTROL, max_size=2)), min_size=1),
)


class FrameReaderTests(SynchronousTestCase):
    """`FrameReader` gives the messages that were sent."""

    @PROPERTY
    @given(st.lists(MESSAGE | CONTROL, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
    def test_any_stream_in_any_reads(
        self, sent: list[tuple[int, bytes | list[tuple[bytes, list[Message]]]]], points: list[int]
    ) -> None:
        """Fragments, control frames between them and cuts anywhere change nothing."""
        stream, expected = b"", []
        for opcode, content in sent:
            if isinstance(content, bytes):
                stream += server_frame(opcode, content)
                expected.append((opcode, content))
                continue
            for number, (fragment, between) in enumerate(content):
                last = number == len(content) - 1
                stream += server_frame(0 if number else opcode, fragment, fin=last)
                if not last:
                    stream += b"".join(server_frame(*control) for control in between)
                    expected += between
            expected.append((opcode, b"".join(fragment for fragment, _ in content)))
        self.assertEqual(read_all(cut(stream, points)), expected)

    def test_lengths(self) -> None:
        """Every form of the length is read, cut behind each byte of the head."""
        for size in (0, 1, 125, 126, 127, 128, 65_535, 65_536):
            payload = bytes(size)
            stream = server_frame(TEXT, payload) * 2
            for point in range(1, 15):
                reads = [stream[:point], stream[point:]]
                self.assertEqual(read_all(reads), [(TEXT, payload)] * 2)

    def test_byte_by_byte(self) -> None:
        """Reads of one byte are enough."""
        stream = server_frame(TEXT, b"a" * 200) + server_frame(PING, b"") + server_frame(TEXT, b"b")
        reads = [bytes([byte]) for byte in stream]
        self.assertEqual(read_all(reads), [(TEXT, b"a" * 200), (PING, b""), (TEXT, b"b")])

    def test_large_message_costs_once(self) -> None:
        """What is kept is put together when the frame is complete, not with each read."""
        reader = FrameReader(LIMIT)
        stream = server_frame(TEXT, bytes(60_000))
        for start in range(0, 60_000, 1000):
            self.assertEqual(reader.feed(stream[start : start + 1000]), [])
        self.assertEqual(len(reader._kept), 60)
        self.assertEqual(reader.feed(stream[60_000:]), [(TEXT, bytes(60_000))])

    def test_faults(self) -> None:
        """What RFC 6455 has no server send ends it, with a reason."""
        start = server_frame(TEXT, b"a", fin=False)
        for stream, reason in (
            (b"\x81\x85", "masked"),
            (b"\xc1\x00", "0xc1"),
            (b"\x83\x00", "0x83"),
            (b"\x8b\x00", "0x8b"),
            (server_frame(PING, b"", fin=False), "control frame"),
            (server_frame(CLOSE, bytes(126)), "control frame"),
            (server_frame(0, b""), "continuation of nothing"),
            (start + server_frame(TEXT, b""), "within another"),
            (start + server_frame(BINARY, b"", fin=False), "within another"),
        ):
            error = self.assertRaises(FrameError, read_all, [stream])
            self.assertIn(reason, str(error))

    def test_limit(self) -> None:
        """A message may be as long as the limit, in one frame or in several, and no longer."""
        self.assertEqual(len(read_all([server_frame(TEXT, bytes(1000))], 1000)), 1)
        self.assertRaises(FrameError, read_all, [server_frame(TEXT, bytes(1001))[:4]], 1000)
        self.assertRaises(FrameError, read_all, [b"\x81\x7f" + b"\xff" * 8], 1000)
        halves = server_frame(TEXT, bytes(500), fin=False)
        self.assertEqual(len(read_all([halves + server_frame(0, bytes(500))], 1000)), 1)
        over = halves + server_frame(0, bytes(501))
        self.assertRaises(FrameError, read_all, [over], 1000)

    def test_limit_is_for_each_message(self) -> None:
        """A message in fragments leaves nothing to the next one."""
        message = server_frame(TEXT, bytes(600), fin=False) + server_frame(0, bytes(400))
        self.assertEqual(len(read_all([message * 3], 1000)), 3)


class EncodeFrameTests(SynchronousTestCase):
    """`encode_frame` masks as RFC 6455 demands."""

    def test_example_of_the_rfc(self) -> None:
        """Section 5.7 has one."""
        frame = encode_frame(TEXT, b"Hello", key=bytes.fromhex("37fa213d"))
        self.assertEqual(frame, bytes.fromhex("818537fa213d7f9f4d5158"))

    def test_lengths(self) -> None:
        """Both forms of the length, and every remainder of the key's length."""
        for size in (0, 1, 2, 3, 4, 125, 126, 1000):
            payload = bytes(range(256)) * 4
            frame = encode_frame(PONG, payload[:size])
            head = 2 if size < 126 else 4
            self.assertEqual(frame[0], 0x8A)
            length = frame[1] & 0x7F if size < 126 else int.from_bytes(frame[2:4])
            self.assertEqual((frame[1] & 0x80, length), (0x80, size))
            key, masked = frame[head : head + 4], frame[head + 4 :]
            unmasked = bytes(byte ^ key[at % 4] for at, byte in enumerate(masked))
            self.assertEqual(unmasked, payload[:size])

    def test_keys(self) -> None:
        """Two frames have two keys."""
        self.assertNotEqual(encode_frame(TEXT, b"a")[2:6], encode_frame(TEXT, b"a")[2:6])
