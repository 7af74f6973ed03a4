"""`towerws.network.tls_context`: what is spoken, and files that are of no use."""

import ssl
import warnings
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.certificates import Authority
from tests.network.tls_case import TLSCase
from tests.network.tls_client import MemoryTLSClient
from towerws.network.tls_context import TLSError, TLSFiles, load_context

#: Parameters of 2048 bits, from RFC 7919 (ffdhe2048).
_DH = b"""-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


class SpokenTests(TLSCase):
    """Modern defaults, whoever asks for less."""

    def client(
        self, version: ssl.TLSVersion, ciphers: str = "DEFAULT", **files: str
    ) -> MemoryTLSClient:
        """Connect a client that knows one version."""
        context = self.context()
        with warnings.catch_warnings():
            # That versions are old is the point.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        context.set_ciphers(ciphers)
        return self.connect(self.tls(**files), context)

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, and nothing older."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.client(version)
            self.assertIsNone(client.error)
            client.write(b"hello")
            self.assertEqual(client.served.received, b"hello")
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            # Clients of today do not speak them either, unless told to.
            client = self.client(version, "ALL:@SECLEVEL=0")
            self.assertEqual(getattr(client.error, "reason", ""), "TLSV1_ALERT_PROTOCOL_VERSION")

    def test_ciphers(self) -> None:
        """In TLS 1.2, keys are forward secret and encryption is authenticated."""
        for name, spoken in (
            ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
            ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
            ("ECDHE-ECDSA-AES256-SHA384", False),
            ("ECDHE-ECDSA-AES128-SHA", False),
            ("AES128-GCM-SHA256", False),
        ):
            client = self.client(ssl.TLSVersion.TLSv1_2, name)
            self.assertEqual(client.error is None, spoken, name)
            self.assertIsNone(client.tls.compression())

    def test_dh(self) -> None:
        """With parameters, clients without elliptic curves are served, if the key is RSA."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate, _ = self.authority.issue("localhost", key=key)
        files = {
            "key": self.write("rsa.key", pem),
            "certificate": self.write("rsa.pem", certificate),
        }
        version = ssl.TLSVersion.TLSv1_2
        cipher = "DHE-RSA-AES128-GCM-SHA256"
        self.assertIsNotNone(self.client(version, cipher, **files).error)
        client = self.client(version, cipher, **files, dh=self.write("dh.pem", _DH))
        self.assertIsNone(client.error)
        self.assertIsNotNone(self.client(version, "AES128-GCM-SHA256", **files).error)

    def test_resumption(self) -> None:
        """No session is resumed: each client is looked at with the authorities of the day."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context()
            context.maximum_version = version
            tls = self.tls()
            first = self.connect(tls, context)
            again = MemoryTLSClient(tls, context, session=first.tls.session)
            self.assertIsNone(again.error)
            self.assertFalse(again.tls.session_reused)

    def test_protocol(self) -> None:
        """Of the protocols that a client offers, HTTP/1.1 is chosen or none."""
        for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)):
            context = self.context()
            context.set_alpn_protocols(offered)
            client = self.connect(self.tls(), context)
            self.assertIsNone(client.error)
            self.assertEqual(client.tls.selected_alpn_protocol(), chosen)


class ChainTests(TLSCase):
    """Certificates between ours and the authority that clients trust."""

    def setUp(self) -> None:
        """Let an authority below the other issue the certificate."""
        super().setUp()
        self.between = Authority("between", self.authority)
        certificate, key = self.between.issue("localhost")
        self.key = self.write("key.pem", key)
        self.certificate = self.write("certificate.pem", certificate)
        self.chain = self.write("chain.pem", self.between.certificate)
        self.full = self.write("fullchain.pem", certificate, self.between.certificate)

    def test_needed(self) -> None:
        """Without it clients do not trust the certificate."""
        error = self.connect(self.tls()).error
        self.assertIsInstance(error, ssl.SSLCertVerificationError)

    def test_full_chain(self) -> None:
        """It may stand in the certificate's file, as Let's Encrypt writes it."""
        self.assertIsNone(self.connect(self.tls(certificate=self.full)).error)

    def test_extra_chain(self) -> None:
        """It may be in a file of its own, as Twisted has it."""
        self.assertIsNone(self.connect(self.tls(chain=self.chain)).error)

    def test_one_file(self) -> None:
        """Key, certificate and chain may be in one file, in any order."""
        parts = [Path(path).read_bytes() for path in (self.key, self.full)]
        for content in (parts, reversed(parts)):
            path = self.write("all.pem", *content)
            self.assertIsNone(self.connect(self.tls(key=path, certificate=path)).error)


class MistakesTests(TLSCase):
    """Files that are of no use are a sentence, which has nothing of what is in them."""

    def refusal(self, **more: object) -> str:
        """Give the sentence, with names for paths."""
        error = self.assertRaises(TLSError, load_context, self.files(**more))
        return str(error).replace(f"{self.directory}/", "")

    def test_unreadable(self) -> None:
        """Files that are not there, or none."""
        for name in ("key", "certificate", "chain", "dh", "client_ca"):
            path = str(self.directory / "none")
            self.assertEqual(
                self.refusal(**{name: path}), "none cannot be read: No such file or directory"
            )
            path = str(self.directory)
            self.assertIn("cannot be read: Is a directory", self.refusal(**{name: path}))

    def test_something_else(self) -> None:
        """Files with something else in them."""
        path = self.write("x.pem", b"s3cret")
        for name, what in (
            ("key", "has no private key in PEM"),
            ("certificate", "has no PEM certificate"),
            ("chain", "has no PEM certificate"),
            ("client_ca", "has no PEM certificate"),
        ):
            self.assertEqual(self.refusal(**{name: path}), f"x.pem {what}")
        self.assertTrue(
            self.refusal(dh=path).startswith("x.pem has no parameters for Diffie-Hellman")
        )

    def test_broken(self) -> None:
        """Certificates that nobody can read."""
        path = self.write(
            "x.pem", b"-----BEGIN CERTIFICATE-----\nczNjcmV0\n-----END CERTIFICATE-----\n"
        )
        for name in ("certificate", "chain", "client_ca"):
            self.assertEqual(self.refusal(**{name: path}), "x.pem has a broken certificate")

    def test_encrypted(self) -> None:
        """A key with a passphrase, which OpenSSL would ask for on the terminal."""
        key = load_pem_private_key(Path(self.key).read_bytes(), None)
        encrypted = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret")
        )
        path = self.write("x.pem", encrypted)
        self.assertEqual(self.refusal(key=path), "x.pem is encrypted")

    def test_mismatch(self) -> None:
        """A key of another certificate, of the same kind and of another."""
        _, other = self.authority.issue("localhost")
        wanted = "the key in x.pem does not belong to the certificate in certificate.pem"
        self.assertEqual(self.refusal(key=self.write("x.pem", other)), wanted)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        self.assertEqual(self.refusal(key=self.write("x.pem", pem)), wanted)

    def test_too_short(self) -> None:
        """A key that OpenSSL finds too short."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate, _ = self.authority.issue("localhost", key=key)
        path = self.write("x.pem", pem, certificate)
        files = TLSFiles(key=path, certificate=path)
        error = str(self.assertRaises(TLSError, load_context, files))
        self.assertTrue(error.startswith(f"OpenSSL refuses {path}: "), error)
