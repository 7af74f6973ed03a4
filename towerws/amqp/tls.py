"""The TLS side of a broker's URL."""

import re
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    PrivateCertificate,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
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
        ConnectFailed: A file is missing, unreadable or not PEM, or OpenSSL does not take it.
    """
    options = _load_identity(url) if url.certfile and url.keyfile else {}
    verify = url.verify == "verify_peer"
    if verify:
        authorities = _load_authorities(url.cacertfile) if url.cacertfile else None
        options["trustRoot"] = (
            platformTrust() if authorities is None else trustRootFromCertificates(authorities)
        )
    try:
        context = CertificateOptions(**options).getContext()
    except SSL.Error:
        # Such as a key that is too short for what the system demands of keys.
        raise ConnectFailed("OpenSSL does not take the certfile of the broker's URL") from None
    return _TLS(context, url.server_name_indication or host, verify)


@implementer(IOpenSSLClientConnectionCreator)
class _TLS:
    """Names the host in the handshake, and compares the broker's certificate with that name.

    Twisted's ``optionsForClientTLS`` takes names only that are valid IDNA, and lets a trusted
    certificate pass that has no ``subjectAltName`` to compare with (26.10 logs an error).
    """

    def __init__(self, context: SSL.Context, name: str, verify: bool) -> None:
        self._context = context
        self._verify = verify
        # RFC 6066 has no place for addresses in the handshake, nor for the last dot of a name.
        name = name.rstrip(".")
        address = isIPAddress(name) or isIPv6Address(name)
        self._identity = IPAddress_ID(name) if address else DNS_ID(name)
        self._server_name = None if address else name.encode("ascii")

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802, N803
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)
        if self._verify:
            connection.set_verify(
                SSL.VERIFY_PEER,
                lambda _, certificate, _error, depth, ok: (
                    bool(ok) and (depth > 0 or self._is_for_host(certificate, tlsProtocol))
                ),
            )
        return connection

    def _is_for_host(self, certificate: Any, tls: Any) -> bool:
        try:
            patterns = extract_patterns(certificate.to_cryptography())
            verify_service_identity(patterns, [self._identity], [])
        except (VerificationError, CertificateError):
            tls.failVerification(Failure())
            return False
        return True


def _load_authorities(path: str) -> list[Certificate]:
    try:
        return [Certificate.loadPEM(pem) for pem in _certificates("cacertfile", path)]
    except crypto.Error:
        raise ConnectFailed(
            f"the cacertfile of the broker's URL, {path}, has a broken certificate"
        ) from None


def _load_identity(url: BrokerURL) -> dict[str, Any]:
    """Load our certificate, those above it and its key, as arguments for `CertificateOptions`."""
    own, *chain = _certificates("certfile", url.certfile or "")
    key = _read("keyfile", url.keyfile or "")
    asked: list[bool] = []

    def no_passphrase(*_: object) -> bytes:
        # OpenSSL's own way is to ask on the terminal, and to wait for the answer.
        asked.append(True)
        return b""

    try:
        pair = KeyPair(crypto.load_privatekey(crypto.FILETYPE_PEM, key, no_passphrase))
        # Sees whether they belong together.
        identity = PrivateCertificate.fromCertificateAndKeyPair(Certificate.loadPEM(own), pair)
        return {
            "privateKey": pair.original,
            "certificate": identity.original,
            "extraCertChain": [Certificate.loadPEM(pem).original for pem in chain],
        }
    except (crypto.Error, VerifyError):
        raise ConnectFailed(
            f"the keyfile of the broker's URL, {url.keyfile}, is encrypted"
            if asked
            else "certfile and keyfile of the broker's URL do not fit"
        ) from None


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
