"""What a client shows at its handshake, as credentials of `twisted.cred`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from OpenSSL.crypto import X509
from zope.interface import implementer

from towerws.auth.interfaces import IHandshake
from towerws.core.cookies import parse_cookies


@implementer(IHandshake)
@dataclass(frozen=True, slots=True)
class Handshake:
    """An opening handshake.

    Attributes:
        path: The path that is asked for.
        address: The client's IP address, as a trusted proxy tells it if there is one; empty where
            it came by a Unix socket.
        headers: Values by name in lower case; those of repeated headers joined by commas.
        subprotocols: The subprotocols that are offered, in order.
        certificate: The client's certificate, if TLS has verified one.
    """

    path: str
    address: str
    headers: Mapping[str, str] = field(repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    certificate: X509 | None = None

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies, by name."""
        return parse_cookies(self.headers.get("cookie", ""))

    @property
    def bearer(self) -> str | None:
        """The token of ``Authorization: Bearer``; None if there is none."""
        scheme, _, token = self.headers.get("authorization", "").strip().partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None
