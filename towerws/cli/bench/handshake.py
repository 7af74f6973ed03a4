"""The client's half of the opening handshake (RFC 6455, section 4.1)."""

import base64
import hashlib
import os
from collections.abc import Mapping

from towerws.client import Target

#: RFC 6455, section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: Longest text of a server that an error repeats, in characters.
_MAX_SHOWN = 100


class HandshakeError(Exception):
    """The server does not open a websocket: the text is half a sentence."""


def new_key() -> str:
    """Make a value for ``Sec-WebSocket-Key``."""
    return base64.b64encode(os.urandom(16)).decode()


def request(
    target: Target, headers: Mapping[str, str], key: str, subprotocol: str | None = None
) -> bytes:
    """Write the request.

    Args:
        target: The server.
        headers: More headers, such as ``Cookie``.
        key: What `new_key` made.
        subprotocol: The one to offer, if any.

    Returns:
        The whole request.
    """
    lines = [
        f"GET {target.resource} HTTP/1.1",
        f"Host: {target.authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "User-Agent: towerws",
        *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []),
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def check(answer: bytes, key: str, subprotocol: str | None = None) -> None:
    """Read the answer.

    Args:
        answer: Status line and headers, without the empty line behind them.
        key: The request's.
        subprotocol: What the request offered, and the server has to select.

    Raises:
        HandshakeError: It is not the answer that opens a websocket.
    """
    status, *lines = answer.decode("latin-1").split("\r\n")
    protocol, _, words = status.partition(" ")
    if not protocol.startswith("HTTP/"):
        raise HandshakeError("the answer is not HTTP")
    if words.split()[:1] != ["101"]:
        raise HandshakeError(f"HTTP {words[:_MAX_SHOWN]}".rstrip())
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
    }
    expected = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()  # noqa: S324
    if headers.get("sec-websocket-accept") != expected:
        raise HandshakeError("the answer has a wrong Sec-WebSocket-Accept")
    if subprotocol is not None and headers.get("sec-websocket-protocol") != subprotocol:
        raise HandshakeError(f"the server does not speak {subprotocol}")
