"""Tests of `towerws.amqp.receiver`."""

from typing import Any

from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import delivery_bytes, frame_bytes, method_bytes
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import ProtocolViolation
from towerws.amqp.frames import HEARTBEAT_FRAME
from towerws.amqp.receiver import Receiver


class ReceiverTests(SynchronousTestCase):
    """Deliveries and methods in their order."""

    def setUp(self) -> None:
        """Make a receiver that keeps a record."""
        self.record: list[Any] = []
        self.receiver = Receiver((0, 1), 100, self._deliveries, self._method)

    def _deliveries(self, deliveries: list[Delivery]) -> None:
        self.record.append([delivery.delivery_tag for delivery in deliveries])

    def _method(self, channel_id: int, payload: bytes) -> None:
        self.record.append((channel_id, payload[:4]))

    def test_one_batch_for_each_read(self) -> None:
        """All deliveries that one read completes come in one call, and never none."""
        stream = b"".join(delivery_bytes(tag=tag) for tag in range(1, 6))
        self.receiver.receive(stream[:-10])
        self.receiver.receive(stream[-10:-5])
        self.receiver.receive(stream[-5:])
        self.assertEqual(self.record, [[1, 2, 3, 4], [5]])

    def test_methods_keep_their_place(self) -> None:
        """A method that came between two deliveries is acted on between them."""
        ack = method_bytes(spec.Basic.Ack(1), 1)
        self.receiver.receive(
            delivery_bytes(tag=1)
            + HEARTBEAT_FRAME
            + delivery_bytes(tag=2)
            + ack
            + ack
            + delivery_bytes(tag=3)
        )
        method = (1, b"\x00\x3c\x00\x50")
        self.assertEqual(self.record, [[1, 2], method, method, [3]])

    def test_deliveries_before_an_error(self) -> None:
        """What is whole is handed out before the error that came behind it."""
        with self.assertRaises(ProtocolViolation):
            self.receiver.receive(delivery_bytes(tag=1) + b"garbage")
        self.assertEqual(self.record, [[1]])

    def test_interrupted_delivery(self) -> None:
        """A method within a delivery is an error."""
        begun = delivery_bytes(tag=1)[:-11]
        with self.assertRaises(ProtocolViolation):
            self.receiver.receive(begun + method_bytes(spec.Basic.Ack(1), 1))
        self.assertEqual(self.record, [])

    def test_stopped_by_a_method(self) -> None:
        """Trap 17: nothing is handed out once the connection is over."""

        def stop(_channel_id: int, _payload: bytes) -> None:
            self.record.append("method")
            self.receiver.stopped = True

        self.receiver = Receiver((0, 1), 100, self._deliveries, stop)
        ack = method_bytes(spec.Basic.Ack(1), 1)
        self.receiver.receive(delivery_bytes(tag=1) + ack + delivery_bytes(tag=2) + ack + b"!")
        self.assertEqual(self.record, [[1], "method"])

    def test_stopped_by_a_delivery(self) -> None:
        """A callback that ends the connection is the last that is called."""

        def stop(deliveries: list[Delivery]) -> None:
            self._deliveries(deliveries)
            self.receiver.stopped = True

        self.receiver = Receiver((0, 1), 100, stop, self._method)
        self.receiver.receive(
            delivery_bytes(tag=1) + method_bytes(spec.Basic.Ack(1), 1) + delivery_bytes(tag=2)
        )
        self.assertEqual(self.record, [[1]])

    def test_frame_size(self) -> None:
        """The negotiated frame size is in force from the next frame on."""
        self.receiver.frame_max = 4096
        self.assertEqual(self.receiver.frame_max, 4096)
        with self.assertRaises(ProtocolViolation):
            self.receiver.receive(frame_bytes(3, 1, bytes(4089)))
