"""Websocket bytes by hand, for what a well-behaved client cannot send; and a user for tests."""

import struct
from collections.abc import Callable, Collection, Sequence
from typing import Any

from twisted.logger import formatEvent

from towerws.core.groups import Group

REQUEST = (
    b"GET /websocket/ HTTP/1.1\r\n"
    b"Host: localhost:8051\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)

#: A subscription to jobs-1 as a masked frame; the mask of zeros leaves the text readable.
SUBSCRIBE = b'{"groups": {"jobs": [1]}}'
SUBSCRIBE_FRAME = b"\x81" + bytes((0x80 | len(SUBSCRIBE),)) + b"\x00" * 4 + SUBSCRIBE


def frame(first: int, payload: bytes, length: int | None = None) -> bytes:
    """Write a masked frame by hand, with a length that need not be true."""
    length = len(payload) if length is None else length
    if length < 126:
        head = bytes((first, 0x80 | length))
    elif length < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + b"\x00" * 4 + payload


def raise_error(error: Exception) -> Any:
    """Raise, where only a call will do."""
    raise error


def logged(events: Sequence[Any]) -> str:
    """Render captured log events, a line each."""
    return "\n".join(formatEvent(event) for event in events)


class FakeIdentity:
    """A user with a number, whose access checks run what the test says."""

    user = 7
    csrf_token = None

    def __init__(
        self, check: Callable[[Sequence[Group], Callable[[Collection[Group]], None]], None]
    ) -> None:
        """Check access with a function."""
        self._check = check

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group]], None]
    ) -> None:
        """See `towerws.core.session.Identity`."""
        self._check(groups, answer)
