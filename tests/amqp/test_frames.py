"""Tests of `towerws.amqp.frames`."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from pika import frame as pika_frame
from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import frame_bytes, read_frames
from tests.amqp.test_tables import deterministic
from towerws.amqp.errors import EncodeError, ProtocolViolation
from towerws.amqp.frames import (
    BODY,
    HEARTBEAT_FRAME,
    MAX_FRAME_SIZE,
    METHOD,
    FrameReader,
    pack_ack,
    pack_bounded_frame,
    pack_frame,
)

_frames = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 8]), st.integers(0, 65535), st.binary(max_size=50)),
    max_size=8,
)


class FrameReaderTests(SynchronousTestCase):
    """Frames out of a stream that is cut anywhere."""

    @deterministic
    @given(_frames, st.lists(st.integers(0, 400), max_size=8))
    def test_round_trip(self, frames: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
        """All frames come out, whole and in order, wherever the stream is cut."""
        stream = b"".join(pack_frame(*frame) for frame in frames)
        reader = FrameReader()
        found: list[tuple[int, int, bytes]] = []
        for start, end in pairwise(sorted({0, len(stream), *(min(c, len(stream)) for c in cuts)})):
            found += read_frames(reader, stream[start:end])
        self.assertEqual(found, frames)

    def test_byte_by_byte(self) -> None:
        """Even single bytes add up."""
        reader = FrameReader()
        stream = frame_bytes(1, 5, b"abc") + HEARTBEAT_FRAME
        found = [frame for byte in stream for frame in read_frames(reader, bytes([byte]))]
        self.assertEqual(found, [(1, 5, b"abc"), (8, 0, b"")])

    def test_incomplete_frame_is_kept_as_pieces(self) -> None:
        """Trap 27: what arrives of a large frame is not copied again with every read."""
        reader = FrameReader()
        stream = frame_bytes(3, 1, bytes(MAX_FRAME_SIZE - 8))
        pieces = [stream[start : start + 1000] for start in range(0, len(stream), 1000)]
        for piece in pieces[:-1]:
            self.assertEqual(list(read_frames(reader, piece)), [])
        self.assertEqual(reader._pieces[1:], pieces[1:-1])
        self.assertTrue(all(a is b for a, b in zip(reader._pieces[1:], pieces[1:], strict=False)))
        self.assertEqual(list(read_frames(reader, pieces[-1])), [(3, 1, bytes(MAX_FRAME_SIZE - 8))])

    def test_too_large(self) -> None:
        """Trap 25: a frame larger than agreed is refused by its header, not awaited."""
        reader = FrameReader()
        reader.frame_max = 4096
        self.assertEqual(len(list(read_frames(reader, frame_bytes(3, 1, bytes(4088))))), 1)
        with self.assertRaisesRegex(ProtocolViolation, "4097 bytes; 4096 were agreed"):
            list(read_frames(reader, frame_bytes(3, 1, bytes(4089))[:7]))

    def test_frames_before_garbage(self) -> None:
        """What came before a broken frame is handed out first."""
        reader = FrameReader()
        found = []
        with self.assertRaisesRegex(ProtocolViolation, "does not end"):
            for frame in read_frames(
                reader, frame_bytes(1, 0, b"x") + frame_bytes(1, 0, b"y")[:-1] + b"!"
            ):
                found.append(frame)  # noqa: PERF402 - it raises midway
        self.assertEqual(found, [(1, 0, b"x")])

    def test_other_protocols(self) -> None:
        """The error says what the peer seems to be, from its first byte on."""
        for start, text in (
            (b"AMQP\x00\x01\x00\x00", "does not speak AMQP 0-9-1"),
            (b"\x15\x03\x01\x00\x02\x02\x16", "amqps://"),
            (b"HTTP/1.1 400 Bad Request", "it sent b'HTTP/1.1 400"),
            (b"\x00", "does not speak AMQP"),
        ):
            with self.assertRaisesRegex(ProtocolViolation, text):
                list(read_frames(FrameReader(), start))

    @deterministic
    @given(st.lists(st.binary(max_size=40), max_size=5))
    def test_arbitrary_bytes(self, pieces: list[bytes]) -> None:
        """Nothing but the documented error comes out of any bytes."""
        reader = FrameReader()
        try:
            for piece in pieces:
                list(read_frames(reader, piece))
        except ProtocolViolation:
            pass


class PackTests(SynchronousTestCase):
    """Frames for the broker, read by pika."""

    def test_frame(self) -> None:
        """A frame has type, channel, length, payload and end."""
        size, frame = pika_frame.decode_frame(pack_frame(BODY, 7, b"abc"))
        self.assertEqual((size, frame.channel_number, frame.fragment), (11, 7, b"abc"))

    def test_heartbeat(self) -> None:
        """The constant is a heartbeat."""
        _, frame = pika_frame.decode_frame(HEARTBEAT_FRAME)
        self.assertIsInstance(frame, pika_frame.Heartbeat)

    def test_ack(self) -> None:
        """The frame made by hand is the acknowledgement it should be."""
        for tag, multiple in ((1, False), (2**64 - 1, True)):
            size, frame = pika_frame.decode_frame(pack_ack(3, tag, multiple))
            self.assertEqual((size, frame.channel_number), (21, 3))
            self.assertIsInstance(frame.method, spec.Basic.Ack)
            self.assertEqual((frame.method.delivery_tag, frame.method.multiple), (tag, multiple))

    def test_bound(self) -> None:
        """A method larger than a frame is refused here; the broker would end the connection."""
        self.assertEqual(len(pack_bounded_frame(METHOD, 1, bytes(4088), 4096)), 4096)
        self.assertRaises(EncodeError, pack_bounded_frame, METHOD, 1, bytes(4089), 4096)
