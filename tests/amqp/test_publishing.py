"""Tests of `towerws.amqp.publishing`, read by pika."""

from typing import Any

from pika import frame as pika_frame
from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.errors import EncodeError
from towerws.amqp.publishing import pack_message


def _unpack(data: bytes) -> list[Any]:
    frames = []
    while data:
        size, frame = pika_frame.decode_frame(data)
        frames.append(frame)
        data = data[size:]
    return frames


def _pack(body: bytes = b"", frame_max: int = 4096, key: str = "k", **properties: object) -> bytes:
    return pack_message(3, "events", key, body, properties=properties, frame_max=frame_max)


class PackMessageTests(SynchronousTestCase):
    """A message in frames."""

    def test_small(self) -> None:
        """Method, header and one body."""
        data = _pack(b"{}", key="jobs-é", content_type="application/json", headers={"k": True})
        method, header, body = _unpack(data)
        self.assertEqual({frame.channel_number for frame in (method, header, body)}, {3})
        self.assertEqual(method.method.exchange, "events")
        self.assertEqual(method.method.routing_key, "jobs-é")
        self.assertFalse(method.method.mandatory)
        self.assertEqual(header.body_size, 2)
        self.assertEqual(header.properties.content_type, "application/json")
        self.assertEqual(header.properties.headers, {"k": True})
        self.assertEqual(body.fragment, b"{}")

    def test_empty(self) -> None:
        """An empty body takes no frame."""
        self.assertEqual(len(_unpack(_pack(b""))), 2)

    def test_large(self) -> None:
        """A body is cut into frames that have the agreed size at most."""
        body = bytes(range(256)) * 50
        _, header, *bodies = _unpack(_pack(body))
        self.assertEqual(header.body_size, len(body))
        self.assertEqual([len(each.fragment) for each in bodies], [4088, 4088, 4088, 536])
        self.assertEqual(b"".join(each.fragment for each in bodies), body)

    def test_what_cannot_be_written(self) -> None:
        """Trap 4: names that are too long and headers that do not fit are errors beforehand."""
        self.assertRaises(EncodeError, _pack, key="é" * 128)
        self.assertRaises(EncodeError, _pack, headers={"k": object()})
        self.assertRaises(EncodeError, _pack, headers={"k": "x" * 4096})
