"""Certificates for servers under test: an authority of its own and one server certificate."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: How long the certificates are valid: longer than any test run, and useless when found later.
_LIFETIME = datetime.timedelta(days=1)


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


def make_server_certificate(directory: Path, host: str = "localhost") -> ServerCertificate:
    """Make a new authority and a certificate signed by it.

    Args:
        directory: An existing directory; gets ``ca.pem``, ``server.pem`` and ``server.key``.
        host: The name that it is valid for, beside 127.0.0.1.

    Returns:
        The paths of the three files.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("towerws tests")
    authority = (
        _certificate(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    server_key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = (
        _certificate(_name(host), authority_name, server_key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = {
        "ca.pem": authority.public_bytes(pem),
        "server.pem": server.public_bytes(pem),
        "server.key": server_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return ServerCertificate(*(str(directory / name) for name in files))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
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
        .not_valid_after(begin + _LIFETIME)
    )
