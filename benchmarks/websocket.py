"""As much of the websocket protocol (RFC 6455) as a load client needs, on bytes.

It has nothing of `towerws.cli.bench.frames`, which does the same for ``towerws bench``: what is
measured here must not be judged by its own code, whose bugs would cancel out.
"""

from collections.abc import Sequence

from benchmarks.rivals import Step

#: The key of RFC 6455, section 1.3, and what answers it.
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
#: Bit beside the opcode of a compressed message (RFC 7692).
COMPRESSED = 0x40
_FIN = 0x80
_MASKED = 0x80


def opening(
    port: int, path: str, *, protocol: str = "", extensions: str = "", headers: Sequence[str] = ()
) -> Step:
    """Open a websocket.

    Args:
        port: Of the server on this machine.
        path: Such as ``/websocket/``.
        protocol: The subprotocol to ask for, if any.
        extensions: The extensions to offer, if any.
        headers: More lines of the request.
    """
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return Step("\r\n".join([*lines, *headers, "", ""]).encode(), b"")


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Frame what a client sends. The mask is all zeros, which leaves the payload as it is.

    Args:
        payload: Below 64 KiB.
        opcode: What it is; with `COMPRESSED` if it is.
    """
    size = len(payload)
    if size < 126:
        header = bytes((_FIN | opcode, _MASKED | size))
    else:
        header = bytes((_FIN | opcode, _MASKED | 126)) + size.to_bytes(2, "big")
    return header + bytes(4) + payload


def frame_end(data: bytes, start: int) -> tuple[int, int]:
    """Find where a server's frame has its payload.

    Args:
        data: Received bytes.
        start: Where the frame begins.

    Returns:
        Where its payload begins and where the frame ends, which may be beyond the data. Both are
        -1 as long as the header is not complete.
    """
    have = len(data) - start
    if have < 2:
        return -1, -1
    size = data[start + 1]
    begin = start + 2
    if size == 126:
        begin += 2
        if have < 4:
            return -1, -1
        size = int.from_bytes(data[start + 2 : begin], "big")
    elif size == 127:
        begin += 8
        if have < 10:
            return -1, -1
        size = int.from_bytes(data[start + 2 : begin], "big")
    return begin, begin + size
