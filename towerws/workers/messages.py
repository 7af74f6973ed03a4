"""What supervisor and worker say to one another, as bytes.

A message is the lengths of its two parts, four bytes each in network order; a JSON object that says
what it is; and a body of any bytes, so that an event travels as it came.

The worker speaks first, with one reply that nobody asked for: it is there. From then on it answers
each message with one reply, in order, so that replies need no numbers.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_LENGTHS = struct.Struct("!II")

#: Largest JSON part, in bytes; that of `Kind.START` has the server's options, its longest lists
#: among them.
MAX_HEAD = 1 << 20

#: Largest body of all but events, in bytes: the metrics of one worker have some kilobytes.
MAX_BODY = 1 << 20


class Kind(StrEnum):
    """What a message is."""

    START = "start"
    """Serve, with these options on these descriptors."""
    EVENT = "event"
    """Deliver the body to a group."""
    REVOKE = "revoke"
    """Carry out the revocation in the body."""
    RELOAD = "reload"
    """Read all files anew."""
    STATUS = "status"
    """Tell why no events flow, if so."""
    METRICS = "metrics"
    """Tell all metrics."""
    DRAIN = "drain"
    """Send all clients away, spread as the options say, and end; answered before that."""
    REPLY = "reply"
    """The worker's answer to each of the others."""


class MessageError(Exception):
    """Bytes that are no message; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        kind: What it is.
        fields: What belongs to it, as JSON has it.
        body: Bytes that belong to it.
    """

    kind: Kind
    fields: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""


def encode(message: Message) -> bytes:
    """Write a message.

    Args:
        message: The message.

    Returns:
        Its bytes.
    """
    head = json.dumps({"kind": message.kind, **message.fields}).encode()
    return _LENGTHS.pack(len(head), len(message.body)) + head + message.body


class Decoder:
    """Takes messages out of a stream of bytes.

    Attributes:
        max_body: The largest body that is accepted, in bytes. May be changed at any time, and holds
            from the next message on.
    """

    def __init__(self, max_body: int = MAX_BODY) -> None:
        """Begin at the beginning of a stream.

        Args:
            max_body: The largest body that is accepted, in bytes.
        """
        self.max_body = max_body
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take in what was read.

        Args:
            data: The next bytes of the stream.

        Returns:
            The messages that are complete now. Each is looked for when it is asked for, so that
            one may decide about the limit for the next. Raises `MessageError` where there is no
            message; nothing may be fed after that.
        """
        self._buffer += data
        return self._complete()

    def _complete(self) -> Iterator[Message]:
        while len(self._buffer) >= _LENGTHS.size:
            head, body = _LENGTHS.unpack_from(self._buffer)
            if head > MAX_HEAD or body > self.max_body:
                raise MessageError(f"a message of {head} and {body} bytes is too large")
            end = _LENGTHS.size + head + body
            if len(self._buffer) < end:
                return
            content = bytes(self._buffer[_LENGTHS.size : end])
            del self._buffer[:end]
            yield _decode(content[:head], content[head:])


def _decode(head: bytes, body: bytes) -> Message:
    try:
        fields = json.loads(head)
        return Message(Kind(fields.pop("kind")), fields, body)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MessageError("a message does not say what it is") from None
