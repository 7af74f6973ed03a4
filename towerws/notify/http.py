"""Publishing over HTTP, at the server's operators' site.

`http.client` knows one time limit per socket operation; what is kept here is one for the whole
exchange. The connection is kept alive between events.
"""

import contextlib
import http.client
import io
import json
import re
import socket
import ssl
from typing import Any

from towerws.core.revocation import Revocation
from towerws.notify.errors import ConnectionLost, Refused, Unreachable
from towerws.notify.network import KEEPALIVE, first_reached, remaining, resolve
from towerws.notify.site import Site

#: What an answer may hold, in bytes: the server's are a line.
_MAX_ANSWER = 65536

#: The longest sentence of the server that is repeated, in characters.
_MAX_SENTENCE = 300

_TOKEN = re.compile(r"[\x21-\x7e]+")


class HTTPConnector:
    """Makes connections to a server's operators' site."""

    def __init__(self, site: Site, token: str | None) -> None:
        """Prepare; connects to nothing.

        Args:
            site: Where to.
            token: The site's bearer token, or ``None``.

        Raises:
            ValueError: The token cannot stand in a header; the text does not repeat it.
        """
        self._site = site
        self._headers = {"Host": str(site), "Content-Type": "application/json"}
        if token is not None:
            if not _TOKEN.fullmatch(token):
                raise ValueError("the token has a space or a character that is not ASCII")
            self._headers["Authorization"] = f"Bearer {token}"
        self._context = ssl.create_default_context() if site.tls else None

    def __call__(self, deadline: float) -> "HTTPConnection":
        """Connect to the first address that answers.

        Args:
            deadline: When to give up, as a moment of `time.monotonic`.

        Returns:
            A connection on which nothing was sent yet.

        Raises:
            Unreachable: The site was not reached.
        """
        site = self._site
        if site.socket_path is not None:
            connected = self._connect(site.socket_path, deadline)
        else:
            addresses = resolve(site.host, site.port, deadline)
            connected = first_reached(addresses, self._connect, deadline)
        return HTTPConnection(connected, site.base, self._headers)

    def _connect(self, address: str | tuple[str, int], deadline: float) -> socket.socket:
        with contextlib.ExitStack() as undo:
            try:
                connected = undo.enter_context(_socket_for(address))
                connected.settimeout(remaining(deadline))
                connected.connect(address)
                if self._context is not None:
                    connected = undo.enter_context(
                        self._context.wrap_socket(
                            connected,
                            server_hostname=self._site.host,
                            do_handshake_on_connect=False,
                        )
                    )
                    connected.settimeout(remaining(deadline))
                    connected.do_handshake()
            except OSError as error:
                peer = address if isinstance(address, str) else f"{address[0]} port {address[1]}"
                raise Unreachable(f"{peer}: {error.strerror or error}") from error
            undo.pop_all()
        return connected


def _socket_for(address: str | tuple[str, int]) -> socket.socket:
    """Make a socket of the family of an address, fit for short messages and long silence."""
    if isinstance(address, str):
        return socket.socket(socket.AF_UNIX)
    made = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    # http.client writes head and body one after the other: no waiting for acknowledgements.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


class HTTPConnection:
    """One kept-alive connection. For one thread at a time."""

    def __init__(self, connected: socket.socket, base: str, headers: dict[str, str]) -> None:
        """Take over a connected socket.

        Args:
            connected: The socket; closed by `close` and `abandon`.
            base: Path below which the site is.
            headers: Of every request, ``Host`` among them.
        """
        self._base = base
        self._headers = headers
        self._socket = _BoundedSocket(connected)
        self._client = http.client.HTTPConnection(headers["Host"])
        # Once the server has closed the connection, a request fails rather than connect anew:
        # connecting is not what this object does, and http.client knows no deadline.
        self._client.auto_open = 0
        self._client.sock = self._socket

    def publish(self, group: str, body: bytes, deadline: float) -> None:
        """Publish an event by ``POST /emit/<group>``, and wait for the answer.

        Args:
            group: The group's name.
            body: JSON.
            deadline: When to give up, as a moment of `time.monotonic`.

        Raises:
            ConnectionLost: The connection is gone.
            Refused: The server does not want the event; in its words.
            Unreachable: There was no answer in time.
        """
        self._post(f"/emit/{group}", body, deadline)

    def revoke(self, revocation: Revocation, deadline: float) -> dict[str, Any]:
        """Publish a revocation by ``POST /revoke``; fails as `publish` does.

        Args:
            revocation: Who may hear less.
            deadline: When to give up, as a moment of `time.monotonic`.

        Returns:
            What the server says became of it.
        """
        answer = _object(self._post("/revoke", revocation.encode(), deadline))
        if answer is None:
            raise Refused("the server answered 202, but not as towerws does")
        return answer

    def _post(self, path: str, body: bytes, deadline: float) -> bytes:
        self._socket.deadline = deadline
        try:
            self._client.request("POST", f"{self._base}{path}", body, self._headers)
            with self._client.getresponse() as response:
                answer = response.read(_MAX_ANSWER)
                if not response.isclosed():
                    self._client.close()
        except TimeoutError:
            raise Unreachable("the server did not answer in time; it may have taken it") from None
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLost(f"the connection was lost: {error}") from error
        if response.status != http.HTTPStatus.ACCEPTED:
            raise Refused(_sentence(response, answer))
        return answer

    def close(self, deadline: float) -> None:
        """Close the connection.

        Args:
            deadline: Not used: HTTP has no leave to take.
        """
        self.abandon()

    def abandon(self) -> None:
        """Close the socket at once."""
        self._client.close()


class _BoundedSocket:
    """As much of a socket as `http.client` uses, with one deadline for all of an exchange."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected
        self.deadline = 0.0

    def sendall(self, data: bytes) -> None:
        self.limit()
        self._connected.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def raw(self) -> io.RawIOBase:
        """Give what reads from the socket; the socket stays open until that is closed."""
        return self._connected.makefile("rb", buffering=0)

    def limit(self) -> None:
        """Let the next operation take what time is left."""
        self._connected.settimeout(remaining(self.deadline))

    def close(self) -> None:
        self._connected.close()


class _Reader(io.RawIOBase):
    """Reads from a bounded socket."""

    def __init__(self, bounded: _BoundedSocket) -> None:
        super().__init__()
        self._bounded = bounded
        self._raw = bounded.raw()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        self._bounded.limit()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _sentence(response: http.client.HTTPResponse, answer: bytes) -> str:
    """Repeat what the server said, or else its status."""
    said = (_object(answer) or {}).get("error")
    sentence = said if isinstance(said, str) else response.reason
    clean = "".join(c if c.isprintable() else " " for c in sentence[:_MAX_SENTENCE])
    return f"the server answered {response.status}: {clean}"


def _object(answer: bytes) -> dict[str, Any] | None:
    """Read an answer; ``None`` if it is no JSON object."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
