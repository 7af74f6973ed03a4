"""A client for tests of the server: the `websockets` library, with what AWX's clients do on top."""

import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

#: What `Client` is to speak over TLS. It reads and writes in two threads, which OpenSSL does not
#: allow: of TLS 1.3 one may read the tickets behind the handshake while the other writes the
#: request, and one request in a hundred was lost.
TLS_VERSION = ssl.TLSVersion.TLSv1_2

#: Nothing here takes longer than some milliseconds, unless the machine is busy.
PATIENCE = 10.0


class Client:
    """One websocket connection. All methods block for a bounded time.

    Attributes:
        websocket: The library's connection.
        greeting: The first frame, decoded.
        csrf_token: What `subscribe` sends as ``xrftoken``.
    """

    def __init__(
        self,
        url: str,
        *,
        compression: str | None = None,
        sock: socket.socket | None = None,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
    ) -> None:
        """Connect, and take the frame that greets.

        Args:
            url: The websocket.
            compression: ``"deflate"`` to offer permessage-deflate.
            sock: A connected socket, if it is not to be made for the URL.
            headers: More headers of the handshake, such as cookies.
            subprotocols: What is offered.

        Raises:
            websockets.exceptions.InvalidStatus: The handshake was refused.
        """
        self.csrf_token: str | None = None
        self._stack = ExitStack()
        if sock is None:
            # Made here because the library would go by way of a proxy in the environment.
            host, _, port = url.split("/")[2].partition(":")
            sock = socket.create_connection((host, int(port)), PATIENCE)
        # In the order in which they are to end: the library closes what it has taken over.
        self._stack.callback(sock.close)
        try:
            self.websocket = self._stack.enter_context(
                connect(
                    url,
                    sock=sock,
                    compression=compression,
                    additional_headers=headers,
                    subprotocols=[Subprotocol(each) for each in subprotocols] or None,
                    open_timeout=PATIENCE,
                    close_timeout=PATIENCE,
                    max_size=None,
                )
            )
        except BaseException:
            self._stack.close()
            raise
        self.greeting = self.receive_json()

    def send(self, frame: object) -> None:
        """Send a frame as JSON."""
        self.websocket.send(json.dumps(frame))

    def subscribe(self, **groups: list[object]) -> dict[str, list[str]]:
        """Replace the subscription, and wait until it is in force.

        Args:
            **groups: As in the protocol.

        Returns:
            The reply. Events and refusals that come before it are an error here.
        """
        self.send({"groups": groups, "xrftoken": self.csrf_token})
        reply: dict[str, list[str]] = self.receive_json()
        assert "groups_current" in reply, reply
        return reply

    def receive(self, timeout: float = PATIENCE) -> bytes:
        """Take the next frame's payload.

        Args:
            timeout: The longest wait, in seconds.

        Raises:
            TimeoutError: None came.
            ConnectionClosed: None will come.
        """
        message = self.websocket.recv(timeout=timeout)
        assert isinstance(message, str), "the server sends text frames only"
        return message.encode()

    def receive_json(self, timeout: float = PATIENCE) -> Any:
        """Take the next frame, decoded; see `receive`."""
        return json.loads(self.receive(timeout))

    def wait_closed(self, timeout: float = PATIENCE) -> int:
        """Wait for the end of the connection; what comes before is dropped.

        Args:
            timeout: The longest wait, in seconds.

        Returns:
            The code of the server's Close frame, 1006 if the connection was lost without one.

        Raises:
            TimeoutError: The connection is still there.
        """
        deadline = time.monotonic() + timeout
        try:
            while True:
                self.receive(max(0.0, deadline - time.monotonic()))
        except ConnectionClosed as closed:
            return 1006 if closed.rcvd is None else int(closed.rcvd.code)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._stack.close()
