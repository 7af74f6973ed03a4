"""Websocket bytes by hand, for what a well-behaved client cannot send; and a user for tests."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import formatEvent
from zope.interface import implementer

from towerws.auth.interfaces import IUser
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


@implementer(IUser)
class FakeUser:
    """A user with a number, whose access checks run what the test says.

    Attributes:
        user: See `towerws.auth.interfaces.IUser`.
        csrf_token: See there.
        expires: See there.
        renewed: What `renew` answers; the same user if it is the Ellipsis.
    """

    csrf_token = None
    expires: float | None = None

    def __init__(
        self, denied: Callable[[Sequence[Group]], Any] = lambda groups: (), user: object = 7
    ) -> None:
        """Check access with a function."""
        self.user = user
        self.renewed: Any = ...
        self._denied = denied

    def denied(self, groups: Sequence[Group]) -> Any:
        """See `towerws.auth.interfaces.IUser`."""
        return self._denied(groups)

    def renew(self) -> Any:
        """See `towerws.auth.interfaces.IUser`."""
        return self if self.renewed is ... else self.renewed
