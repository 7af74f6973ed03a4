"""Tests of `towerws.amqp.whole`: the fast path does what the general one does."""

import struct
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import delivery_bytes, frame_bytes, method_bytes, read_frames
from tests.properties import PROPERTY
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import ProtocolViolation
from towerws.amqp.frames import (
    BODY,
    HEADER,
    HEARTBEAT_FRAME,
    MAX_FRAME_SIZE,
    OVERHEAD,
    FrameReader,
)
from towerws.amqp.receiver import Receiver
from towerws.amqp.whole import MAX_KEYS, WholeDeliveries

_CHANNELS = (0, 1, 2)
_MAX_BODY = 60
_FRAME_MAX = 200

#: What brokers send, and what they should not.
_PARTS = st.one_of(
    st.builds(
        delivery_bytes,
        st.binary(max_size=_MAX_BODY + 2),
        channel_id=st.integers(0, 3),
        tag=st.integers(0, 2**64 - 1),
        routing_key=st.sampled_from(["", "jobs-1", "jobs-é", "x" * 150]),
        redelivered=st.booleans(),
        chunk=st.sampled_from([7, 1000]),
        headers=st.sampled_from([None, {"k": "v"}, {"k": "v" * 170}]),
    ),
    st.builds(frame_bytes, st.integers(0, 4), st.integers(0, 3), st.binary(max_size=20)),
    st.sampled_from([HEARTBEAT_FRAME, method_bytes(spec.Basic.Ack(1), 1)]),
)


def _record(pieces: list[bytes], *, fast: bool) -> list[Any]:
    """Give all that comes of a stream: batches, methods and the error, in their order."""
    record: list[Any] = []

    def deliveries(batch: list[Delivery]) -> None:
        record.append([[getattr(each, name) for name in Delivery.__slots__] for each in batch])

    receiver = Receiver(_CHANNELS, _MAX_BODY, deliveries, lambda *method: record.append(method))
    receiver.frame_max = _FRAME_MAX
    if not fast:
        receiver._whole.take = lambda data, offset, frame_max, found: offset  # type: ignore[method-assign]
    try:
        for piece in pieces:
            receiver.receive(piece)
    except ProtocolViolation as error:
        record.append(str(error))
    return record


def _take(
    stream: bytes, frame_max: int = MAX_FRAME_SIZE, max_body: int = _MAX_BODY
) -> tuple[int, list[Delivery]]:
    found: list[Delivery] = []
    whole = WholeDeliveries(_CHANNELS, max_body)
    return whole.take(stream, 0, frame_max, found), found


class EquivalenceTests(SynchronousTestCase):
    """Both paths, side by side."""

    @PROPERTY
    @given(st.lists(_PARTS, max_size=6), st.lists(st.integers(0, 1500), max_size=4), st.data())
    def test_streams(self, parts: list[bytes], cuts: list[int], data: st.DataObject) -> None:
        """Any stream, with any octet spoilt, cut anywhere, comes to the same."""
        stream = bytearray(b"".join(parts))
        for at in data.draw(st.lists(st.integers(0, max(0, len(stream) - 1)), max_size=2)):
            if stream:
                stream[at] = data.draw(st.integers(0, 255))
        ends = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
        pieces = [bytes(stream[start:end]) for start, end in pairwise(ends)]
        self.assertEqual(_record(pieces, fast=True), _record(pieces, fast=False))

    def test_every_octet_spoilt(self) -> None:
        """The same for each octet of a delivery between others, and for the usual wrong values."""
        before, after = delivery_bytes(tag=1), delivery_bytes(tag=3)
        usual = delivery_bytes(b"abc", tag=2, headers={"k": "v"})
        for at in range(len(usual)):
            for value in (0, 1, 2, 3, usual[at] + 1 & 255, usual[at] - 1 & 255, 255):
                spoilt = usual[:at] + bytes((value,)) + usual[at + 1 :]
                pieces = [before + spoilt + after + after]
                self.assertEqual(
                    _record(pieces, fast=True), _record(pieces, fast=False), (at, value)
                )

    def test_every_cut(self) -> None:
        """The same wherever a read ends."""
        stream = delivery_bytes(b"abc") + delivery_bytes(b"de", tag=2) + delivery_bytes(b"", tag=3)
        for at in range(len(stream)):
            pieces = [stream[:at], stream[at:]]
            self.assertEqual(_record(pieces, fast=True), _record(pieces, fast=False), at)


class WholeTests(SynchronousTestCase):
    """What is taken, and what is left to the general path."""

    def test_usual(self) -> None:
        """Whole deliveries are taken, up to the first that is not."""
        stream = b"".join(delivery_bytes(tag=tag, routing_key="x" * tag) for tag in (1, 2, 30))
        for behind in (b"", b"\x01", HEARTBEAT_FRAME, delivery_bytes(b"abc")[:-1]):
            end, found = _take(stream + behind)
            self.assertEqual(end, len(stream))
            self.assertEqual([each.delivery_tag for each in found], [1, 2, 30])

    def test_other_names(self) -> None:
        """A consumer's or exchange's name of another length only takes another call."""
        first = delivery_bytes()
        second = delivery_bytes(routing_key="jobs-2", consumer="c", exchange="e")
        self.assertEqual(_take(first + second)[0], len(first))
        end, (delivery,) = _take(second + first)
        self.assertEqual((end, delivery.routing_key), (len(second), "jobs-2"))

    def test_left(self) -> None:
        """Bodies that are empty, in pieces or too large, and channels not open, are left."""
        for stream in (
            delivery_bytes(b""),
            delivery_bytes(b"abcd", chunk=2),
            delivery_bytes(b"x" * (_MAX_BODY + 1)),
            delivery_bytes(channel_id=9),
        ):
            self.assertEqual(_take(stream), (0, []))

    def test_nearly_right(self) -> None:
        """What would fit if one frame reached into the next is left as well."""
        empty = delivery_bytes(b"")
        self.assertEqual(_take(empty + frame_bytes(BODY, 1, b"")), (0, []))
        # The end octet of the header's frame stands where the last octet of the size belongs.
        size = 0xCE
        method, *_ = read_frames(FrameReader(), empty)
        header = frame_bytes(HEADER, 1, struct.pack(">HHQ", 60, 0, size)[:-1])
        stream = frame_bytes(*method) + header + frame_bytes(BODY, 1, bytes(size))
        self.assertEqual(_take(stream, max_body=size), (0, []))

    def test_frame_size(self) -> None:
        """No frame of a delivery is larger than agreed."""
        for place, stream in enumerate(
            (
                delivery_bytes(routing_key="x" * 200),
                delivery_bytes(headers={"k": "v" * 200}),
                delivery_bytes(b"x" * _MAX_BODY, consumer="c", exchange="e", routing_key="k"),
            )
        ):
            sizes = [
                len(payload) + OVERHEAD for _, _, payload in read_frames(FrameReader(), stream)
            ]
            self.assertEqual(sizes.index(max(sizes)), place)
            self.assertEqual(_take(stream, max(sizes))[0], len(stream))
            self.assertEqual(_take(stream, max(sizes) - 1)[0], 0)

    def test_keys_are_shared(self) -> None:
        """The same routing key is the same text, as long as there are not too many."""
        whole = WholeDeliveries(_CHANNELS, _MAX_BODY)

        def key(name: str) -> str:
            found: list[Delivery] = []
            whole.take(delivery_bytes(routing_key=name), 0, MAX_FRAME_SIZE, found)
            return found[0].routing_key

        first = key("jobs-é")
        self.assertIs(key("jobs-é"), first)
        for number in range(3 * MAX_KEYS):
            self.assertEqual(key(str(number)), str(number))
            self.assertLessEqual(len(whole._keys), MAX_KEYS)
