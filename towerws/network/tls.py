"""TLS for listeners: ``ssl:`` endpoints whose certificate is replaced while connections stay.

The keys of the endpoint string are those of Twisted's ``ssl:``, and two of our own::

    ssl:PORT:privateKey=FILE:certKey=FILE[:extraCertChain=FILE][:dhParameters=FILE]
        [:interface=ADDRESS][:backlog=NUMBER]
        [:clientCA=FILE[:clientCertificates=required|optional]]

Twisted reads the files once, and looks for a PROXY header within TLS, where no proxy writes it.
"""

import re
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import _parse, quoteStringArgument
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IStreamServerEndpoint,
    ITransport,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from towerws.core.metrics import Metrics
from towerws.network.tls_context import TLSError, TLSFiles, load_context

_DESCRIPTION = re.compile(r"((?:haproxy:)*)ssl(?::(.*))?", re.DOTALL)

#: In the order in which Twisted takes them without a name.
_TWISTEDS = (
    "port", "privateKey", "certKey", "sslmethod", "interface", "backlog", "extraCertChain",
    "dhParameters",
)  # fmt: skip
_OURS = ("clientCA", "clientCertificates")


def split_tls(description: str) -> tuple[str, "ServerTLS | None"]:
    """Take TLS off an endpoint string, and read the files.

    Args:
        description: Of any endpoint, behind any number of ``haproxy:``.

    Returns:
        The endpoint string of what is below TLS, and the TLS for a `TLSEndpoint` on top of it; for
        an endpoint of another kind than ``ssl`` the same string, and None.

    Raises:
        TLSError: The keys are wrong, or a file is.
    """
    found = _DESCRIPTION.fullmatch(description)
    if found is None:
        return description, None
    named = _named(found[2] or "")
    port, interface = named["port"], named.get("interface", "")
    below = f"{found[1]}tcp:{quoteStringArgument(port)}:interface={quoteStringArgument(interface)}"
    if "backlog" in named:
        below += f":backlog={quoteStringArgument(named['backlog'])}"
    address = f"[{interface}]:{port}" if ":" in interface else f"{interface or '*'}:{port}"
    return below, ServerTLS(address, _files(named))


def _named(arguments: str) -> dict[str, str]:
    """Name all arguments of an endpoint string."""
    positional, named = _parse(arguments)  # Twisted's own way
    given = dict(zip(_TWISTEDS, positional, strict=False))
    twice = given.keys() & named.keys()
    if twice or len(positional) > len(_TWISTEDS):
        # Most likely an IPv6 address as it is: Twisted takes what follows for the next arguments.
        found = ", ".join(sorted(twice)) or positional[-1]
        raise TLSError(f"too many arguments: {found} (a colon within a value is written \\:)")
    unknown = sorted(named.keys() - {*_TWISTEDS, *_OURS})
    if unknown:
        raise TLSError(f"{unknown[0]!r} is not one of {', '.join((*_TWISTEDS, *_OURS))}")
    if not named.get("port", given.get("port")):
        raise TLSError("there is no port")
    return {**given, **named}


def _files(named: dict[str, str]) -> TLSFiles:
    if "sslmethod" in named:
        raise TLSError("sslmethod is not supported: client and server agree on TLS 1.2 or newer")
    asked = named.get("clientCertificates", "required")
    if asked not in ("required", "optional"):
        raise TLSError(f"clientCertificates is required or optional, not {asked!r}")
    if "clientCertificates" in named and "clientCA" not in named:
        raise TLSError("clientCertificates needs clientCA, the authorities that clients may have")
    # Absolute, because twistd may change the directory later.
    paths = {
        name: str(Path(named[name]).absolute())
        for name in ("privateKey", "certKey", "extraCertChain", "dhParameters", "clientCA")
        if name in named
    }
    key = paths.get("privateKey") or str(Path("server.pem").absolute())
    return TLSFiles(
        key=key,
        certificate=paths.get("certKey", key),
        chain=paths.get("extraCertChain"),
        dh=paths.get("dhParameters"),
        client_ca=paths.get("clientCA"),
        client_required=asked == "required",
    )


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """The TLS of a listener; a `towerws.reloading.Reloadable`.

    Connections keep the certificate that they began with, new ones get the newest. No session is
    resumed: each client is verified with the authorities of the day, and nothing that is encrypted
    depends on a key that lives as long as the process.

    Attributes:
        address: Of the listener, for people.
        files: Paths of all files that were read.
        expires: The end of the certificate's validity.
    """

    _log = Logger()

    def __init__(self, address: str, files: TLSFiles) -> None:
        """Read the files.

        Args:
            address: Of the listener, for people.
            files: What to read.

        Raises:
            TLSError: They are of no use.
        """
        self.address = address
        self.files = files.paths()
        self._chosen = files
        self._context, self.expires = load_context(files)

    def attach(self, metrics: Metrics) -> None:
        """Tell when the certificate ends; called once, in the process that uses it.

        Args:
            metrics: Where to.
        """
        metrics.gauge(
            "towerws_certificate_expires_timestamp_seconds",
            "When the certificate of a listener ends, in Unix time.",
            self._expires_at,
            listener=self.address,
        )
        self._tell("{address} has the certificate in {path}, valid until {expires}")

    def reload(self) -> bool:
        """Read the files anew, for the connections to come.

        Returns:
            Whether they are in force; if not, what was before stays, and the log has the reason.
        """
        try:
            self._context, self.expires = load_context(self._chosen)
        except TLSError as error:
            # Key and certificate are two files, and not replaced in the same instant.
            self._log.error(
                "{address} keeps its certificate, valid until {expires}: {error}",
                address=self.address,
                expires=self.expires.isoformat(),
                error=error,
            )
            return False
        self._tell("{address} has a certificate anew from {path}, valid until {expires}")
        return True

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802, N803
        """Make a connection with the newest context; see `IOpenSSLServerConnectionCreator`."""
        return SSL.Connection(self._context, None)

    def _expires_at(self) -> float:
        return self.expires.timestamp()

    def _tell(self, text: str) -> None:
        self._log.info(
            text,
            address=self.address,
            path=self._chosen.certificate,
            expires=self.expires.isoformat(),
        )


@implementer(IStreamServerEndpoint)
class TLSEndpoint:
    """TLS on top of whatever an endpoint accepts; below it may be a PROXY header."""

    def __init__(self, endpoint: IStreamServerEndpoint, tls: ServerTLS, clock: Any) -> None:
        """Prepare to listen.

        Args:
            endpoint: Where to listen.
            tls: The TLS.
            clock: The reactor.
        """
        self._endpoint = endpoint
        self._tls = tls
        self._clock = clock

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803  # Twisted's name
    ) -> Deferred[IListeningPort]:
        """Listen; see `IStreamServerEndpoint`."""
        factory = TLSMemoryBIOFactory(self._tls, False, protocolFactory, self._clock)
        listening: Deferred[IListeningPort] = self._endpoint.listen(factory)
        return listening


def peer_certificate(transport: ITransport) -> crypto.X509 | None:
    """Give the certificate that a client has shown.

    Args:
        transport: Of a connection that has received something, so that the TLS handshake is over.

    Returns:
        The certificate, verified; None if there is none, or no TLS.
    """
    if not isinstance(transport, TLSMemoryBIOProtocol):
        return None
    # None once the connection is lost. A certificate that is not valid ends the handshake, and
    # without clientCA none is asked for.
    connection: SSL.Connection | None = transport.getHandle()
    return None if connection is None else connection.get_peer_certificate()
