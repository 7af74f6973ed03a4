"""Where a websocket server is: its URL, taken apart."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS

#: The websocket path of towerws and of every AWX.
DEFAULT_PATH = "/websocket/"

_DEFAULT_PORTS = {"ws": 80, "wss": 443}

_MALFORMED = "the URL is not ws://HOST:PORT/PATH"

#: How long a TCP connection may take, in seconds, before the next attempt.
CONNECT_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Target:
    """A websocket server.

    Attributes:
        host: Host name or address; of no meaning with a Unix socket.
        port: TCP port.
        resource: Path and query of the handshake's request.
        tls: Whether TLS is spoken; the certificate is checked against ``host``.
        socket: Path of a Unix socket to connect to instead of host and port.
    """

    host: str
    port: int
    resource: str
    tls: bool = False
    socket: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Take a URL apart.

        Args:
            url: ``ws://HOST:PORT/PATH``, ``wss://...``, or ``ws+unix:///path/of/socket``. The path
                is ``/websocket/`` where the URL has none.

        Returns:
            The server.

        Raises:
            ValueError: It is not such a URL; the text is one sentence and repeats no part of the
                URL, which may hold a password.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError(_MALFORMED) from None
        if parts.scheme == "ws+unix":
            if parts.netloc or not parts.path.strip("/"):
                raise ValueError("the URL of a Unix socket is ws+unix:///path/of/socket")
            return cls("localhost", _DEFAULT_PORTS["ws"], DEFAULT_PATH, socket=parts.path)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError("the URL does not begin with ws://, wss:// or ws+unix://")
        if parts.username is not None or parts.password is not None:
            raise ValueError(
                "the URL has a user name: credentials go into headers, Cookie or Authorization"
            )
        if not parts.hostname or parts.fragment:
            raise ValueError(_MALFORMED)
        resource = (parts.path or DEFAULT_PATH) + (f"?{parts.query}" if parts.query else "")
        if not (resource.isascii() and resource.isprintable()) or " " in resource:
            raise ValueError("the path of the URL has a character that must be percent-encoded")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port == 0:
            raise ValueError("the port of the URL is not a number from 1 to 65535")
        default = _DEFAULT_PORTS[parts.scheme]
        return cls(parts.hostname, port or default, resource, tls=parts.scheme == "wss")

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` header has them; an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def name(self) -> str:
        """What to call the server in a message."""
        return self.socket or self.authority

    def endpoint(self, reactor: object, address: str | None = None) -> IStreamClientEndpoint:
        """Say how to connect.

        Args:
            reactor: A reactor for TCP, TLS and Unix sockets.
            address: The address of the host, if it has been looked up already: connecting costs
                half as much then.

        Returns:
            An endpoint that gives up after `CONNECT_TIMEOUT`.
        """
        if self.socket is not None:
            return UNIXClientEndpoint(reactor, self.socket, timeout=CONNECT_TIMEOUT)
        tcp: IStreamClientEndpoint
        if address is None:
            tcp = HostnameEndpoint(reactor, self.host, self.port, timeout=CONNECT_TIMEOUT)
        elif ":" in address:
            tcp = TCP6ClientEndpoint(reactor, address, self.port, timeout=CONNECT_TIMEOUT)
        else:
            tcp = TCP4ClientEndpoint(reactor, address, self.port, timeout=CONNECT_TIMEOUT)
        if not self.tls:
            return tcp
        return wrapClientTLS(optionsForClientTLS(self.host), tcp)
