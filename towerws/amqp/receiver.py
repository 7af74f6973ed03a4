"""The path of every byte from the broker: frames, then batches of deliveries, and methods."""

from collections.abc import Callable, Container

from towerws.amqp.deliveries import DELIVER, Delivery, DeliveryAssembler
from towerws.amqp.frames import BODY, HEADER, METHOD, OVERHEAD, FrameReader
from towerws.amqp.whole import WholeDeliveries


class Receiver:
    """Sorts what arrives, in its order. Synchronous: no queue and no Deferred per message.

    Attributes:
        frame_max: Largest frame accepted, in bytes.
        stopped: Whether the connection is over; nothing is handed out any more.
    """

    def __init__(
        self,
        channels: Container[int],
        max_body: int,
        on_deliveries: Callable[[list[Delivery]], None],
        on_method: Callable[[int, bytes], None],
    ) -> None:
        """Begin with the first byte of a connection.

        Args:
            channels: The numbers of the open channels.
            max_body: Largest body in bytes that is kept.
            on_deliveries: Called with the deliveries that one read completed; more than once if
                a method came between two of them, so that all keeps its order.
            on_method: Called with the channel and payload of any other method.
        """
        self.stopped = False
        self._frames = FrameReader()
        self._assembler = DeliveryAssembler(channels, max_body)
        self._whole = WholeDeliveries(channels, max_body)
        self._on_deliveries = on_deliveries
        self._on_method = on_method

    @property
    def frame_max(self) -> int:
        """Largest frame accepted, in bytes."""
        return self._frames.frame_max

    @frame_max.setter
    def frame_max(self, size: int) -> None:
        self._frames.frame_max = size

    def receive(self, data: bytes) -> None:
        """Take the next bytes.

        Args:
            data: What the transport read.

        Raises:
            ProtocolViolation, DecodeError: They are not what a broker may send. What came before
                was handed out.
        """
        deliveries: list[Delivery] = []
        frames, assembler = self._frames, self._assembler
        data = frames.join(data)
        offset = 0
        try:
            while not self.stopped:
                if assembler.idle:
                    offset = self._whole.take(data, offset, frames.frame_max, deliveries)
                frame = frames.cut(data, offset)
                if frame is None:
                    break
                offset += len(frame[2]) + OVERHEAD
                self._take_frame(*frame, deliveries)
        finally:
            self._hand_out(deliveries)

    def _take_frame(
        self, kind: int, channel_id: int, payload: bytes, deliveries: list[Delivery]
    ) -> None:
        delivery = None
        if kind == BODY:
            delivery = self._assembler.body(channel_id, payload)
        elif kind == HEADER:
            delivery = self._assembler.header(channel_id, payload)
        elif kind == METHOD and payload.startswith(DELIVER):
            self._assembler.begin(channel_id, payload)
        elif kind == METHOD:
            self._take_method(channel_id, payload, deliveries)
        if delivery is not None:
            deliveries.append(delivery)

    def _take_method(self, channel_id: int, payload: bytes, before: list[Delivery]) -> None:
        self._assembler.check_idle(channel_id)
        self._hand_out(before[:])
        before.clear()
        if not self.stopped:
            self._on_method(channel_id, payload)

    def _hand_out(self, deliveries: list[Delivery]) -> None:
        if deliveries and not self.stopped:
            self._on_deliveries(deliveries)
