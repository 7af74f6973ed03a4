"""Events, and their framing: once per variant, shared by every connection.

RFC 6455 section 5.2 gives the frame, RFC 7692 section 7.2.1 the compression. A server's frames are
not masked, so the same bytes serve every client; without server context takeover the same holds for
compressed ones.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from enum import IntEnum
from operator import itemgetter
from typing import NamedTuple

#: Payloads below this size are sent plain even where permessage-deflate was negotiated, in bytes.
#: They fit one Ethernet packet of 1,500 bytes anyway, so compressing them would cost time and save
#: no packet.
COMPRESS_FROM = 1400

#: Window of the compressor, in bits (4 KiB). One compressed frame must suit every client, and some
#: offer no larger window than this, python-websockets among them; a larger one would gain little on
#: events of some kilobytes.
WINDOW_BITS = 12

_FIN_TEXT = 0x81
_FIN_TEXT_COMPRESSED = 0xC1
_SYNC_FLUSH_TAIL = b"\x00\x00\xff\xff"


class Variant(IntEnum):
    """The forms in which connections take the same event: profile and compression."""

    PLAIN = 0
    DEFLATE = 1
    """permessage-deflate was negotiated: large payloads are compressed."""
    ENVELOPED = 2
    """Profile "towerws.v1": the payload is within an envelope, see `towerws.core.wire_v1`."""
    ENVELOPED_DEFLATE = 3

    # Enum's own hashes the name, in Python.
    __hash__ = int.__hash__

    @property
    def compresses(self) -> bool:
        """Whether large payloads are compressed."""
        return bool(self & Variant.DEFLATE)

    @property
    def is_enveloped(self) -> bool:
        """Whether payloads are enveloped."""
        return bool(self & Variant.ENVELOPED)


class Event(NamedTuple):
    """One event on its way to whoever listens to its group.

    Attributes:
        group: The group's name.
        payload: JSON in UTF-8, as it was published.
        offset: Its place in the log that it is from, larger than those of all events before it.
    """

    group: str
    payload: bytes
    offset: int = 0


_PAYLOAD: Callable[[Event], bytes] = itemgetter(1)


class Frames:
    """Events of one group that came together, framed: once for each variant, as one piece."""

    __slots__ = ("_envelope", "_events", "_made")

    def __init__(self, events: Sequence[Event], envelope: Callable[[Event], bytes]) -> None:
        """Frame nothing yet.

        Args:
            events: In the order of their publication.
            envelope: Puts an event into its envelope.
        """
        self._events = events
        self._envelope = envelope
        self._made: dict[Variant, bytes] = {}

    def of(self, variant: Variant) -> bytes:
        """Give the frames, one behind the other.

        Args:
            variant: The form that a connection takes.

        Returns:
            Whole frames; the same object for every caller with this variant.
        """
        frames = self._made.get(variant)
        if frames is None:
            envelope = self._envelope if variant.is_enveloped else _PAYLOAD
            frames = b"".join(encode(envelope(event), variant) for event in self._events)
            self._made[variant] = frames
        return frames


def encode(payload: bytes, variant: Variant) -> bytes:
    """Frame a text message of the server.

    Args:
        payload: UTF-8.
        variant: The form that the connection takes.

    Returns:
        One unfragmented, unmasked frame.
    """
    if len(payload) >= COMPRESS_FROM and variant.compresses:
        compressed = _deflate(payload)
        if len(compressed) < len(payload):
            return _header(_FIN_TEXT_COMPRESSED, len(compressed)) + compressed
    return _header(_FIN_TEXT, len(payload)) + payload


def _deflate(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-WINDOW_BITS)
    compressed = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return compressed.removesuffix(_SYNC_FLUSH_TAIL)


def _header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)
