"""Certificates for tests: authorities of their own, and what these issue."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths of PEM files for a server on 127.0.0.1.

    Attributes:
        cafile: The authority's certificate, for clients to trust.
        certfile: The server's certificate.
        keyfile: The server's private key, not encrypted.
    """

    cafile: str
    certfile: str
    keyfile: str


class Authority:
    """A certificate authority.

    Attributes:
        certificate: Its own certificate, in PEM.
    """

    def __init__(self, name: str = "towerws tests", parent: "Authority | None" = None) -> None:
        """Make a new one.

        Args:
            name: Its name.
            parent: The authority above it; None for a root.
        """
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        above = parent or self
        self.certificate = _pem(
            _certificate(self._name, above._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(above._key, hashes.SHA256())
        )

    def issue(self, name: str, days: int = 1, key: PrivateKey | None = None) -> tuple[bytes, bytes]:
        """Issue a certificate for a client, or for a server with this name or on 127.0.0.1.

        Args:
            name: The common name.
            days: How long it is valid.
            key: Its key; a new one if None.

        Returns:
            The certificate and its key, in PEM.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            _certificate(_name(name), self._name, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return _pem(certificate), _private_pem(key)


def make_server_certificate(directory: Path, host: str = "localhost") -> ServerCertificate:
    """Make a new authority and a certificate signed by it.

    Args:
        directory: An existing directory; gets ``ca.pem``, ``server.pem`` and ``server.key``.
        host: The name that it is valid for, beside 127.0.0.1.

    Returns:
        The paths of the three files.
    """
    authority = Authority()
    certificate, key = authority.issue(host)
    files = {"ca.pem": authority.certificate, "server.pem": certificate, "server.key": key}
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return ServerCertificate(*(str(directory / name) for name in files))


def make_self_signed(directory: Path, key: PrivateKey) -> tuple[str, str]:
    """Make a certificate that no authority has signed, without a ``subjectAltName``.

    Args:
        directory: An existing directory; gets ``self-signed.pem`` and ``self-signed.key``.
        key: Its key, which also signs it.

    Returns:
        The paths of the two files.
    """
    name = _name("localhost")
    certificate = _certificate(name, name, key.public_key()).sign(key, hashes.SHA256())
    paths = directory / "self-signed.pem", directory / "self-signed.key"
    for path, content in zip(paths, (_pem(certificate), _private_pem(key)), strict=True):
        path.write_bytes(content)
    return str(paths[0]), str(paths[1])


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, days: int = 1
) -> x509.CertificateBuilder:
    # A minute of tolerance: the clock of a virtual machine may have been set back a little.
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        # Longer than any test run, and useless when found later.
        .not_valid_after(begin + datetime.timedelta(days=days))
    )
