"""TLS towards servers that we connect to: the certificate must be valid for the name we asked for.

Twisted's ``optionsForClientTLS`` takes names only that are valid IDNA, which those of containers
such as ``rabbit_1`` are not, and lets a trusted certificate pass that has no ``subjectAltName`` to
compare with (26.10 logs an error).
"""

import re
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate
from twisted.python.failure import Failure
from zope.interface import implementer

_PEM_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """Names the server in the handshake, and compares its certificate with that name."""

    def __init__(self, context: SSL.Context, name: str, verify: bool = True) -> None:
        """Prepare for one server.

        Args:
            context: Says who is trusted.
            name: The server's name or address, in ASCII.
            verify: False to take any certificate.
        """
        self._context = context
        self._verify = verify
        # RFC 6066 has no place for addresses in the handshake, nor for the last dot of a name.
        name = name.rstrip(".")
        address = isIPAddress(name) or isIPv6Address(name)
        self._identity = IPAddress_ID(name) if address else DNS_ID(name)
        self._server_name = None if address else name.encode("ascii")

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N802, N803
        """Make the connection; see `IOpenSSLClientConnectionCreator`.

        Args:
            tlsProtocol: Is told why a certificate was refused.
        """
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


def read_certificates(path: str) -> list[bytes]:
    """Read the certificates of a file.

    Args:
        path: A PEM file, which may hold other things too.

    Returns:
        Each as PEM, at least one.

    Raises:
        OSError: It cannot be read.
        ValueError: It has none; the text is the end of a sentence about the file.
    """
    found = _PEM_CERTIFICATE.findall(Path(path).read_bytes())
    if not found:
        raise ValueError("has no PEM certificate")
    return found


def load_authorities(path: str) -> list[Certificate]:
    """Read the authorities to trust instead of the system's.

    Args:
        path: A PEM file with their certificates.

    Returns:
        At least one, for ``trustRootFromCertificates``.

    Raises:
        OSError: It cannot be read.
        ValueError: It has no certificate, or a broken one; the text is the end of a sentence about
            the file.
    """
    try:
        return [Certificate.loadPEM(pem) for pem in read_certificates(path)]
    except crypto.Error:
        raise ValueError("has a broken certificate") from None


def describe_tls_failure(error: BaseException | None, whose: str) -> str | None:
    """Put the failure of a TLS connection into words.

    Args:
        error: What ``connectionLost`` was told.
        whose: What comes before "certificate", such as "the broker's".

    Returns:
        A sentence, or the end of one; None if it is no failure of TLS.
    """
    # The second one has no name at all that could be compared, or one that is malformed.
    if isinstance(error, VerificationError | CertificateError):
        return f"{whose} certificate is not valid for its host name"
    if isinstance(error, SSL.Error):
        return f"TLS failed: {_tls_reasons(error) or 'the peer closed the connection'}"
    return None


def _tls_reasons(error: SSL.Error) -> str:
    # OpenSSL.SSL.Error carries its queue of errors: (library, function, reason) each.
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(entry[-1] for entry in queue)
