"""The TLS side of a broker's URL."""

import re
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import Error as CryptoError
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from zope.interface import implementer

from towerws.amqp.errors import ConnectFailed
from towerws.core.broker_url import BrokerURL

_PEM_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)


def connection_creator(url: BrokerURL, host: str) -> IOpenSSLClientConnectionCreator:
    """Make what Twisted needs to speak TLS to a broker.

    Args:
        url: Its URL; the files it names are read now.
        host: The host among the URL's; its certificate must be valid for it, unless the URL says
            otherwise.

    Returns:
        The argument for ``wrapClientTLS``.

    Raises:
        ConnectFailed: A file is missing, unreadable or not PEM.
    """
    name = url.server_name_indication or host
    identity = _load_identity(url) if url.certfile and url.keyfile else None
    if url.verify == "verify_none":
        return _UnverifiedTLS(name, identity)
    options: dict[str, Any] = {}
    if url.cacertfile:
        options["trustRoot"] = trustRootFromCertificates(_load_authorities(url.cacertfile))
    if identity is not None:
        options["clientCertificate"] = identity[0]
        options["extraCertificateOptions"] = {"extraCertChain": identity[1]}
    return optionsForClientTLS(name, **options)


@implementer(IOpenSSLClientConnectionCreator)
class _UnverifiedTLS:
    """Encrypts without asking who the peer is: what ``verify_none`` means."""

    def __init__(self, name: str, identity: "_Identity | None") -> None:
        options: dict[str, Any] = {}
        if identity is not None:
            options["privateKey"] = identity[0].privateKey.original
            options["certificate"] = identity[0].original
            options["extraCertChain"] = identity[1]
        self._context = CertificateOptions(**options).getContext()
        # RFC 6066 has no place for addresses there.
        address = isIPAddress(name) or isIPv6Address(name)
        self._server_name = None if address else name.encode("idna")

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802, N803
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)
        return connection


_Identity = tuple[PrivateCertificate, list[Any]]


def _load_authorities(path: str) -> list[Certificate]:
    try:
        return [Certificate.loadPEM(pem) for pem in _certificates("cacertfile", path)]
    except CryptoError:
        raise ConnectFailed(
            f"the cacertfile of the broker's URL, {path}, has a broken certificate"
        ) from None


def _load_identity(url: BrokerURL) -> _Identity:
    own, *chain = _certificates("certfile", url.certfile or "")
    key = _read("keyfile", url.keyfile or "")
    try:
        certificate = PrivateCertificate.loadPEM(key + b"\n" + own)
        return certificate, [Certificate.loadPEM(pem).original for pem in chain]
    except (CryptoError, VerifyError):
        raise ConnectFailed("certfile and keyfile of the broker's URL do not fit") from None


def _certificates(option: str, path: str) -> list[bytes]:
    found = _PEM_CERTIFICATE.findall(_read(option, path))
    if not found:
        raise ConnectFailed(f"the {option} of the broker's URL, {path}, has no PEM certificate")
    return found


def _read(option: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConnectFailed(
            f"the {option} of the broker's URL cannot be read: {path}: {error.strerror}"
        ) from None
