"""The TLS side of a broker's URL."""

from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
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

from towerws.amqp.errors import ConnectFailed
from towerws.core.broker_url import BrokerURL
from towerws.network.client_tls import ClientTLS, load_authorities, read_certificates


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
        options["trustRoot"] = (
            _load_trust_root(url.cacertfile) if url.cacertfile else platformTrust()
        )
    try:
        context = CertificateOptions(**options).getContext()
    except SSL.Error:
        # Such as a key that is too short for what the system demands of keys.
        raise ConnectFailed("OpenSSL does not take the certfile of the broker's URL") from None
    return ClientTLS(context, url.server_name_indication or host, verify)


def _load_trust_root(path: str) -> Any:
    try:
        return trustRootFromCertificates(load_authorities(path))
    except (OSError, ValueError) as error:
        raise _unusable("cacertfile", path, error) from None


def _load_identity(url: BrokerURL) -> dict[str, Any]:
    """Load our certificate, those above it and its key, as arguments for `CertificateOptions`."""
    certfile, keyfile = url.certfile or "", url.keyfile or ""
    try:
        own, *chain = read_certificates(certfile)
    except (OSError, ValueError) as error:
        raise _unusable("certfile", certfile, error) from None
    try:
        key = Path(keyfile).read_bytes()
    except OSError as error:
        raise _unusable("keyfile", keyfile, error) from None
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


def _unusable(option: str, path: str, error: OSError | ValueError) -> ConnectFailed:
    if isinstance(error, OSError):
        why = f"cannot be read: {path}: {error.strerror}"
        return ConnectFailed(f"the {option} of the broker's URL {why}")
    return ConnectFailed(f"the {option} of the broker's URL, {path}, {error}")
