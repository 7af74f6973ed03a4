"""Messages that the broker delivers, put together from their frames. Pure.

A delivery is three or more frames: the method ``basic.deliver``, a content header, and as many body
frames as the size in the header takes. This is the path of every event, so the method is taken
apart by hand, and properties only if somebody asks.
"""

import struct
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from towerws.amqp.codec import decode_properties
from towerws.amqp.errors import ProtocolViolation

#: Class 60, method 60: what the payload of a ``basic.deliver`` frame begins with.
DELIVER = b"\x00\x3c\x00\x3c"

#: The class of messages, which their content headers belong to.
BASIC = 60

#: Default limit of a body, in bytes: what RabbitMQ 4 itself accepts (``max_message_size``).
MAX_BODY = 16 * 1024 * 1024

_TAG = struct.Struct(">QBB")
_HEADER = struct.Struct(">HHQ")
_CONSUMER_LENGTH_AT = 4


@dataclass(slots=True, eq=False)
class Delivery:
    """One message from the broker, without its exchange and consumer: each costs time to decode.

    The routing key is text; bytes that are not UTF-8 are kept as lone surrogates
    (``surrogateescape``).

    Attributes:
        channel_id: The channel it came by.
        delivery_tag: Its number on that channel, for the acknowledgement.
        redelivered: Whether the broker handed it out before.
        routing_key: The routing key it was published with.
        size: Length of its body in bytes.
        body: The body, or ``None`` if it was larger than the limit and has been dropped.
        content_header: The undecoded content header, from which `properties` come.
    """

    channel_id: int
    delivery_tag: int
    redelivered: bool
    routing_key: str
    size: int = 0
    body: bytes | None = None
    content_header: bytes = field(default=b"", repr=False)

    @property
    def oversized(self) -> bool:
        """Whether the body was dropped because it was larger than the limit."""
        return self.body is None

    def properties(self) -> dict[str, Any]:
        """Decode the message's properties; done anew by each call.

        Returns:
            Those the publisher set, by name: ``content_type``, ``headers``, ``timestamp``, ...

        Raises:
            DecodeError: A ``ValueError``: the publisher or a proxy wrote them wrong.
        """
        return decode_properties(self.content_header, _HEADER.size)

    def headers(self) -> dict[str, Any]:
        """Decode the message's headers; done anew by each call.

        Returns:
            The table, empty if the message has none.

        Raises:
            DecodeError: A ``ValueError``: the publisher or a proxy wrote them wrong.
        """
        headers: dict[str, Any] = self.properties().get("headers", {})
        return headers


def decode_key(raw: bytes) -> str:
    """Read a routing key; see `Delivery` for what is not UTF-8."""
    return raw.decode("utf-8", "surrogateescape")


class DeliveryAssembler:
    """Puts deliveries together, channel by channel; frames of several channels may alternate."""

    def __init__(self, channels: Container[int], max_body: int = MAX_BODY) -> None:
        """Start with nothing.

        Args:
            channels: The channels that are open; consulted for each delivery.
            max_body: Largest body in bytes that is kept.
        """
        self._channels = channels
        self._max_body = max_body
        self._begun: dict[int, Delivery] = {}
        self._bodies: dict[int, _Body] = {}

    @property
    def idle(self) -> bool:
        """Whether no delivery is begun on any channel."""
        return not self._begun

    def begin(self, channel_id: int, payload: bytes) -> None:
        """Take a ``basic.deliver`` method.

        Args:
            channel_id: The channel.
            payload: The frame's payload; it begins with `DELIVER`.

        Raises:
            ProtocolViolation: It is malformed or comes at a wrong time.
        """
        if channel_id in self._begun or channel_id not in self._channels:
            raise ProtocolViolation(f"a delivery on channel {channel_id} came at a wrong time")
        try:
            tag_at = 5 + payload[_CONSUMER_LENGTH_AT]
            delivery_tag, redelivered, exchange_length = _TAG.unpack_from(payload, tag_at)
            key_at = tag_at + _TAG.size + exchange_length + 1
            if key_at + payload[key_at - 1] != len(payload):
                raise ProtocolViolation("a basic.deliver is longer or shorter than its fields")
        except (IndexError, struct.error):
            raise ProtocolViolation("a basic.deliver ends before its fields do") from None
        self._begun[channel_id] = Delivery(
            channel_id,
            delivery_tag,
            redelivered & 1 == 1,
            decode_key(payload[key_at:]),
        )

    def header(self, channel_id: int, payload: bytes) -> Delivery | None:
        """Take a content header.

        Args:
            channel_id: The channel.
            payload: The frame's payload.

        Returns:
            The delivery, if its body is empty.

        Raises:
            ProtocolViolation: It is malformed or comes at a wrong time.
        """
        delivery = self._begun.get(channel_id)
        if delivery is None or delivery.content_header:
            raise ProtocolViolation(f"a header on channel {channel_id} belongs to no delivery")
        try:
            class_id, _, size = _HEADER.unpack_from(payload)
        except struct.error:
            raise ProtocolViolation("a content header is too short") from None
        if class_id != BASIC:
            raise ProtocolViolation(f"a content header belongs to class {class_id}")
        delivery.size = size
        delivery.content_header = payload
        if size:
            return None
        delivery.body = b""
        return self._begun.pop(channel_id)

    def body(self, channel_id: int, payload: bytes) -> Delivery | None:
        """Take a body frame.

        Args:
            channel_id: The channel.
            payload: The frame's payload.

        Returns:
            The delivery, if this was the last of its body.

        Raises:
            ProtocolViolation: There is more than the header said, or there was none.
        """
        delivery = self._begun.get(channel_id)
        if delivery is None or not delivery.content_header:
            raise ProtocolViolation(f"a body on channel {channel_id} belongs to no delivery")
        size = delivery.size
        if len(payload) == size <= self._max_body:
            if channel_id in self._bodies:
                raise ProtocolViolation("a body is longer than its header says")
            delivery.body = payload
            del self._begun[channel_id]
            return delivery
        return self._continue(channel_id, delivery, payload)

    def check_idle(self, channel_id: int) -> None:
        """Refuse a method that interrupts a delivery on its channel.

        Args:
            channel_id: The channel of a method other than ``basic.deliver``.

        Raises:
            ProtocolViolation: A delivery is not complete there.
        """
        if channel_id in self._begun:
            raise ProtocolViolation(f"a method on channel {channel_id} interrupts a delivery")

    def _continue(self, channel_id: int, delivery: Delivery, payload: bytes) -> Delivery | None:
        body = self._bodies.get(channel_id)
        if body is None:
            body = self._bodies[channel_id] = _Body()
        body.received += len(payload)
        if body.received > delivery.size:
            raise ProtocolViolation("a body is longer than its header says")
        if delivery.size <= self._max_body:
            body.pieces.append(payload)
        if body.received < delivery.size:
            return None
        if delivery.size <= self._max_body:
            delivery.body = b"".join(body.pieces)
        del self._begun[channel_id], self._bodies[channel_id]
        return delivery


@dataclass(slots=True)
class _Body:
    """The body of a delivery that takes more than one frame, or is too large to be kept."""

    received: int = 0
    pieces: list[bytes] = field(default_factory=list)
