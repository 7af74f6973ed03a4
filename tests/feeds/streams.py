"""What the tests of stream mode have in common: messages of a stream, and a node's memory."""

import struct
from typing import Any

from tests.hubs import make_hub
from towerws.amqp.codec import encode_properties
from towerws.amqp.deliveries import BASIC, Delivery
from towerws.core.event import Event
from towerws.core.history import Bounds
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.positions import Mark, StreamPositions, fingerprint

#: The group of most messages.
GROUP = "jobs-1"

#: An offset that is written with 64 bits, as RabbitMQ writes all of them.
_PLACE = 1 << 62
_VALUE = struct.Struct(">q")


def message(
    offset: int, body: bytes | None = None, group: str = GROUP, **properties: Any
) -> Delivery:
    """Make a message of a stream.

    Args:
        offset: Its place.
        body: Its body; one that names the offset if not given.
        group: Its routing key.
        **properties: More than the offset that it has.
    """
    body = b'{"n": %d}' % offset if body is None else body
    headers = {"x-stream-offset": _PLACE, **properties.pop("headers", {})}
    encoded = encode_properties({"headers": headers, **properties})
    encoded = encoded.replace(_VALUE.pack(_PLACE), _VALUE.pack(offset), 1)
    header = struct.pack(">HHQ", BASIC, 0, len(body)) + encoded
    return Delivery(1, offset + 1, False, group, len(body), body, header)


def messages(*offsets: int) -> list[Delivery]:
    """Make some messages of one group."""
    return [message(offset) for offset in offsets]


def mark_at(offset: int, body: bytes | None = None) -> Mark:
    """Give the mark of what `message` makes."""
    body = b'{"n": %d}' % offset if body is None else body
    return Mark(offset, fingerprint(Event(GROUP, body)))


def make_stream_hub(metrics: Metrics, most_events: int = 1000) -> Hub:
    """Make a hub with the history of a stream.

    Args:
        metrics: Where things are counted.
        most_events: How many the history keeps.
    """
    return make_hub(metrics, positions=StreamPositions(), bounds=Bounds(events=most_events))
