"""Where the operators' site of a server is, as a URL says it."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}

_PATH = re.compile(r"[\x21-\x7e]*")


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
