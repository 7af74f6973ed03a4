"""A published message as bytes: method, content header and body in frames."""

import struct
from collections.abc import Mapping

from towerws.amqp.codec import encode_properties
from towerws.amqp.frames import BODY, HEADER, METHOD, OVERHEAD, pack_bounded_frame, pack_frame
from towerws.amqp.tables import encode_short_string

#: basic.publish: class, method, a reserved short.
_PUBLISH = struct.pack(">HHH", 60, 40, 0)
_NEITHER_MANDATORY_NOR_IMMEDIATE = b"\x00"
#: class, weight, body size.
_HEADER = struct.Struct(">HHQ")
_BASIC = 60


def pack_message(
    channel_id: int,
    exchange: str,
    routing_key: str,
    body: bytes,
    *,
    properties: Mapping[str, object],
    frame_max: int,
) -> bytes:
    """Build all frames of a message.

    Args:
        channel_id: The channel.
        exchange: Where to publish.
        routing_key: With which routing key.
        body: The message, which is cut into as many frames as it takes.
        properties: By the names in `towerws.amqp.codec.PROPERTIES`.
        frame_max: The negotiated size of a frame in bytes.

    Returns:
        Bytes to be sent in one piece, so that no other frame of the channel comes between.

    Raises:
        EncodeError: A name or a property cannot be written.
    """
    method = (
        _PUBLISH
        + encode_short_string(exchange)
        + encode_short_string(routing_key)
        + _NEITHER_MANDATORY_NOR_IMMEDIATE
    )
    header = _HEADER.pack(_BASIC, 0, len(body)) + encode_properties(properties)
    chunk = frame_max - OVERHEAD
    return b"".join(
        [
            pack_bounded_frame(METHOD, channel_id, method, frame_max),
            pack_bounded_frame(HEADER, channel_id, header, frame_max),
            *(
                pack_frame(BODY, channel_id, body[start : start + chunk])
                for start in range(0, len(body), chunk)
            ),
        ]
    )
