"""Tests of `towerws.amqp.deliveries`."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import delivery_bytes, delivery_with_headers, read_frames
from tests.amqp.test_tables import WIRE_VALUES, deterministic
from towerws.amqp.deliveries import Delivery, DeliveryAssembler
from towerws.amqp.errors import DecodeError, ProtocolViolation
from towerws.amqp.frames import BODY, HEADER, METHOD, FrameReader


def _assemble(
    stream: bytes, channels: tuple[int, ...] = (1, 2), max_body: int = 1000
) -> list[Delivery]:
    assembler = DeliveryAssembler(channels, max_body)
    take = {METHOD: assembler.begin, HEADER: assembler.header, BODY: assembler.body}
    found = [take[kind](channel, payload) for kind, channel, payload in _frames(stream)]
    return [delivery for delivery in found if delivery is not None]


def _frames(stream: bytes) -> list[tuple[int, int, bytes]]:
    return list(read_frames(FrameReader(), stream))


class AssemblerTests(SynchronousTestCase):
    """Deliveries out of frames."""

    def test_fields(self) -> None:
        """A delivery says where it comes from and what it is."""
        (delivery,) = _assemble(
            delivery_bytes(b"abc", channel_id=2, tag=2**40, routing_key="jobs-é", redelivered=True)
        )
        self.assertEqual(delivery.channel_id, 2)
        self.assertEqual(delivery.delivery_tag, 2**40)
        self.assertIs(delivery.redelivered, True)
        self.assertEqual(delivery.routing_key, "jobs-é")
        self.assertEqual((delivery.size, delivery.body), (3, b"abc"))
        self.assertFalse(delivery.oversized)

    def test_bodies_are_bytes(self) -> None:
        """Traps 1 and 2: a body is bytes, whatever is in it, and its size is counted in bytes."""
        for body in (b"", b"{}", '{"name":"é"}'.encode(), b"\xff\xfe\x00", b"x" * 1000):
            (delivery,) = _assemble(delivery_bytes(body))
            self.assertEqual(delivery.body, body)
            self.assertEqual(delivery.size, len(body))

    def test_several_frames(self) -> None:
        """Trap 3: chunks that cut characters, or are no text at all, are put together."""
        body = "é€".encode() * 20 + b"\xff\x00" * 20
        for chunk in (1, 3, 7):
            (delivery,) = _assemble(delivery_bytes(body, chunk=chunk))
            self.assertEqual(delivery.body, body)

    def test_channels_alternate(self) -> None:
        """Frames of two channels may come in turns."""
        one = _frames(delivery_bytes(b"a" * 5, channel_id=1, chunk=2))
        two = _frames(delivery_bytes(b"b" * 5, channel_id=2, chunk=2))
        assembler = DeliveryAssembler((1, 2))
        take: Any = {METHOD: assembler.begin, HEADER: assembler.header, BODY: assembler.body}
        found = [
            take[kind](channel, payload)
            for pair in zip(one, two, strict=True)
            for kind, channel, payload in pair
        ]
        self.assertEqual([each.body for each in found if each], [b"aaaaa", b"bbbbb"])

    def test_oversized(self) -> None:
        """Trap 24: a body over the limit is counted and dropped as it comes, not kept."""
        for chunk in (20, 300, 1001):
            big, small = _assemble(
                delivery_bytes(b"x" * 1001, chunk=chunk, headers={"k": 1}) + delivery_bytes(b"y")
            )
            self.assertTrue(big.oversized)
            self.assertEqual((big.body, big.size, big.headers()), (None, 1001, {"k": 1}))
            self.assertEqual(small.body, b"y")

    def test_size_that_nobody_could_keep(self) -> None:
        """A size of 2^64 - 1 in a header costs nothing."""
        method = _frames(delivery_bytes(b"x"))[0]
        assembler = DeliveryAssembler((1,))
        assembler.begin(1, method[2])
        assembler.header(1, struct.pack(">HHQH", 60, 0, 2**64 - 1, 0))
        self.assertIsNone(assembler.body(1, b"x" * 1000))

    def test_foreign_names(self) -> None:
        """Names that are not UTF-8 come as text with surrogates."""
        (delivery,) = _assemble(delivery_bytes(b"x").replace(b"status", b"\xff\xfeatus"))
        self.assertEqual(delivery.routing_key, "jobs-\udcff\udcfeatus_changed")

    def test_frames_out_of_order(self) -> None:
        """Frames that do not make up a delivery are a breach of protocol."""
        method, header, body = _frames(delivery_bytes(b"abc"))
        for frames in (
            [header],
            [body],
            [method, method],
            [method, body],
            [method, header, header],
            [method, header, (BODY, 1, b"abcd")],
            [method, header, (BODY, 1, b"ab"), (BODY, 1, b"cd")],
            [method, header, (BODY, 1, b"ab"), (BODY, 1, b"abc")],
            [method, (HEADER, 1, header[2][:11])],
            [method, (HEADER, 1, b"\x00\x0a" + header[2][2:])],
            [(METHOD, 9, method[2])],
        ):
            assembler = DeliveryAssembler((1,))
            take: Any = {METHOD: assembler.begin, HEADER: assembler.header, BODY: assembler.body}
            with self.assertRaises(ProtocolViolation):
                for kind, channel, payload in frames:
                    take[kind](channel, payload)

    def test_interrupted(self) -> None:
        """Another method may come between deliveries only."""
        method, header, body = _frames(delivery_bytes(b"abc"))
        assembler = DeliveryAssembler((1,))
        assembler.check_idle(1)
        self.assertTrue(assembler.idle)
        assembler.begin(1, method[2])
        self.assertFalse(assembler.idle)
        self.assertRaises(ProtocolViolation, assembler.check_idle, 1)
        assembler.check_idle(2)
        assembler.header(1, header[2])
        self.assertRaises(ProtocolViolation, assembler.check_idle, 1)
        assembler.body(1, body[2])
        assembler.check_idle(1)
        self.assertTrue(assembler.idle)

    def test_malformed_method(self) -> None:
        """A basic.deliver cut at any place, or with something behind it, is refused."""
        payload = _frames(delivery_bytes(b"x"))[0][2]
        for wrong in (*(payload[:size] for size in range(4, len(payload))), payload + b"x"):
            self.assertRaises(ProtocolViolation, DeliveryAssembler((1,)).begin, 1, wrong)

    @deterministic
    @given(
        st.lists(st.tuples(st.sampled_from(["begin", "header", "body"]), st.binary(max_size=40)))
    )
    def test_arbitrary_bytes(self, frames: list[tuple[str, bytes]]) -> None:
        """Nothing but the documented error comes out of any payloads."""
        assembler = DeliveryAssembler((1,), max_body=30)
        try:
            for name, payload in frames:
                prefix = {"begin": b"\x00\x3c\x00\x3c", "header": b"\x00\x3c\x00\x00", "body": b""}
                getattr(assembler, name)(1, prefix[name] + payload)
        except ProtocolViolation:
            pass


class HeadersTests(SynchronousTestCase):
    """Properties, which are decoded only when asked for."""

    def test_properties(self) -> None:
        """They are what the publisher set."""
        (delivery,) = _assemble(
            delivery_bytes(b"x", content_type="application/json", priority=5, headers={"k": None})
        )
        self.assertEqual(
            delivery.properties(),
            {"content_type": "application/json", "priority": 5, "headers": {"k": None}},
        )
        self.assertEqual(delivery.headers(), {"k": None})

    def test_none(self) -> None:
        """A message without headers has an empty table."""
        (delivery,) = _assemble(delivery_bytes(b"x"))
        self.assertEqual((delivery.properties(), delivery.headers()), ({}, {}))

    def test_every_type(self) -> None:
        """Trap 6: a header of any type neither harms the delivery nor its neighbours."""
        for wire, value in WIRE_VALUES.items():
            items = b"\x01k" + wire
            stream = delivery_with_headers(struct.pack(">I", len(items)) + items)
            for delivery in _assemble(stream + stream):
                self.assertEqual(delivery.headers(), {"k": value})
                self.assertEqual(delivery.body, b"{}")

    def test_dead_lettered(self) -> None:
        """Trap 6: what RabbitMQ adds to each dead-lettered message is a list of tables."""
        death = {"count": 1, "reason": "expired", "queue": "q", "routing-keys": ["jobs-summary"]}
        (delivery,) = _assemble(delivery_bytes(b"x", headers={"x-death": [death]}))
        self.assertEqual(delivery.headers()["x-death"], [death])

    def test_malformed(self) -> None:
        """A malformed table is the business of whoever asks for it, as a ``ValueError``."""
        (delivery,) = _assemble(delivery_with_headers(b"\x00\x00\x00\x03\x01kZ"))
        self.assertEqual(delivery.body, b"{}")
        self.assertRaises(DecodeError, delivery.headers)
        self.assertRaises(ValueError, delivery.properties)

    def test_repr_hides_the_content(self) -> None:
        """The undecoded header, which may hold anything, is not shown."""
        (delivery,) = _assemble(delivery_bytes(b"x", headers={"token": "secret"}))
        self.assertNotIn("secret", repr(delivery))

    def test_pika_agrees_on_the_method(self) -> None:
        """The class and method that are recognised are basic.deliver's."""
        self.assertEqual(spec.Basic.Deliver.INDEX, 60 << 16 | 60)
