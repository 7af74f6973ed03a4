"""Publishing over HTTP: ``POST /emit/<group>`` at the server's operators' site.

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
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from towerws.notify.errors import ConnectionLost, Refused, Unreachable
from towerws.notify.network import KEEPALIVE, first_reached, remaining, resolve

_DEFAULT_PORTS = {"http": 80, "https": 443}

#: What an answer may hold, in bytes: the server's are a line.
_MAX_ANSWER = 65536

#: The longest sentence of the server that is repeated, in characters.
_MAX_SENTENCE = 300

_TOKEN = re.compile(r"[\x21-\x7e]+")
_PATH = re.compile(r"[\x21-\x7e]*")

_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Site:
    """Where the operators' site of a server is.

    Attributes:
        host: Host name or address; ``localhost`` for a Unix socket.
        port: TCP port.
        base: Path below which the site is, without a slash at the end; mostly empty.
        tls: Whether to use HTTPS; the certificate must be valid for the host, signed by an
            authority that the system (or ``SSL_CERT_FILE``) trusts.
        socket_path: Path of a Unix socket, or ``None``.
    """

    host: str
    port: int
    base: str = ""
    tls: bool = False
    socket_path: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL apart.

        Args:
            url: ``http://HOST:PORT``, ``https://HOST:PORT``, ``unix:///run/towerws.sock`` or
                ``http+unix://%2Frun%2Ftowerws.sock``; all but the third with a path if need be.

        Returns:
            The site.

        Raises:
            ValueError: It is not such a URL; the text is one sentence that repeats nothing of it.
        """
        try:
            parts = urlsplit(url)
            port = parts.port if parts.scheme in _DEFAULT_PORTS else None
        except ValueError:
            raise ValueError("the publisher's URL has a bad host or port") from None
        if parts.query or parts.fragment:
            raise ValueError("the publisher's URL has a ? or a #, which http:// URLs cannot have")
        if parts.username is not None:
            raise ValueError(
                "the publisher's URL has a user name: the site's credential is TOWERWS_TOKEN"
            )
        if not _PATH.fullmatch(parts.path):
            raise ValueError("the path of the publisher's URL has a character to be %-encoded")
        if parts.scheme in {"unix", "http+unix"}:
            local = parts.scheme == "unix"
            path = unquote(parts.path if local else parts.netloc)
            if not path.startswith("/") or "\x00" in path or (local and parts.netloc):
                raise ValueError("the publisher's URL has no path of a Unix socket after its //")
            base = "" if local else parts.path.rstrip("/")
            return cls("localhost", _DEFAULT_PORTS["http"], base, socket_path=path)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError(
                "the publisher's URL must begin with amqp://, amqps://, http://, https://, unix://"
                " or http+unix://"
            )
        if not parts.hostname or port == 0:
            raise ValueError("the publisher's URL has a bad host or port")
        port = port or _DEFAULT_PORTS[parts.scheme]
        return cls(parts.hostname, port, parts.path.rstrip("/"), parts.scheme == "https")

    def __str__(self) -> str:
        """Name the site as the ``Host`` header and people do."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS["https" if self.tls else "http"]
        return host if self.port == default else f"{host}:{self.port}"


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
        """Publish an event, and wait for the answer.

        Args:
            group: The group's name.
            body: JSON.
            deadline: When to give up, as a moment of `time.monotonic`.

        Raises:
            ConnectionLost: The connection is gone.
            Refused: The server does not want the event; in its words.
            Unreachable: There was no answer in time.
        """
        self._socket.deadline = deadline
        try:
            self._client.request("POST", f"{self._base}/emit/{group}", body, self._headers)
            with self._client.getresponse() as response:
                answer = response.read(_MAX_ANSWER)
                if not response.isclosed():
                    self._client.close()
        except TimeoutError:
            raise Unreachable("the server did not answer in time; it may have the event") from None
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLost(f"the connection was lost: {error}") from error
        if response.status != http.HTTPStatus.ACCEPTED:
            raise Refused(_sentence(response, answer))

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
    sentence = response.reason
    try:
        said = json.loads(answer)["error"]
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    else:
        sentence = said if isinstance(said, str) else sentence
    clean = "".join(c if c.isprintable() else " " for c in sentence[:_MAX_SENTENCE])
    return f"the server answered {response.status}: {clean}"
