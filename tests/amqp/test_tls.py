"""Tests of `towerws.amqp.tls`: real handshakes, in memory."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    trustRootFromCertificates,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import ServerCertificate, make_self_signed, make_server_certificate
from tests.network.tls_pair import TLS_WARNINGS, shake_hands
from towerws.amqp.errors import ConnectFailed
from towerws.amqp.losses import describe_loss
from towerws.amqp.tls import connection_creator
from towerws.core.broker_url import BrokerURL


class ConnectionCreatorTests(SynchronousTestCase):
    """Trap 28: TLS, with certificates that are checked."""

    suppress = TLS_WARNINGS

    def setUp(self) -> None:
        """Make an authority and a server's certificate for localhost and 127.0.0.1."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.files: ServerCertificate = make_server_certificate(directory)
        self.directory = directory

    def _server(self, **options: Any) -> CertificateOptions:
        identity = PrivateCertificate.loadPEM(
            Path(self.files.keyfile).read_bytes() + Path(self.files.certfile).read_bytes()
        )
        return (
            identity.options(**options)
            if not options
            else CertificateOptions(
                privateKey=identity.privateKey.original, certificate=identity.original, **options
            )
        )

    def _url(self, **options: Any) -> BrokerURL:
        return BrokerURL(hosts=(("localhost", 5671),), tls=True, **options)

    def test_trusted(self) -> None:
        """A certificate of the named authority, valid for the host, is accepted."""
        url = self._url(cacertfile=self.files.cafile)
        for host in ("localhost", "127.0.0.1"):
            client, server, _ = shake_hands(connection_creator(url, host), self._server())
            self.assertEqual((client.received, server.received), (b"hello", b"hello"))

    def test_unknown_authority(self) -> None:
        """Without the authority's certificate, the system's decide, and refuse."""
        client, server, _ = shake_hands(
            connection_creator(self._url(), "localhost"), self._server()
        )
        self.assertEqual((client.received, server.received), (b"", b""))
        assert client.ended is not None
        self.assertIn("certificate verify failed", describe_loss(client.ended, False))

    def test_wrong_host(self) -> None:
        """A certificate for another host is refused."""
        url = self._url(cacertfile=self.files.cafile)
        for host in ("broker.example", "127.0.0.2"):
            client, server, _ = shake_hands(connection_creator(url, host), self._server())
            self.assertEqual((client.received, server.received), (b"", b""))
            assert client.ended is not None
            self.assertIn("not valid for its host name", describe_loss(client.ended, False))

    def test_server_name(self) -> None:
        """The URL may name what the certificate is valid for, and that is also sent."""
        url = self._url(cacertfile=self.files.cafile, server_name_indication="localhost")
        client, _, wrapped = shake_hands(connection_creator(url, "broker.example"), self._server())
        self.assertEqual(client.received, b"hello")
        self.assertEqual(wrapped.getHandle().get_servername(), b"localhost")

    def test_verify_none(self) -> None:
        """Who says so in the URL gets encryption without knowing to whom."""
        url = self._url(verify="verify_none")
        for host, sent in (("broker.example", b"broker.example"), ("127.0.0.2", None)):
            client, server, wrapped = shake_hands(connection_creator(url, host), self._server())
            self.assertEqual((client.received, server.received), (b"hello", b"hello"))
            self.assertEqual(wrapped.getHandle().get_servername(), sent)

    def test_own_certificate(self) -> None:
        """A server that wants to know who we are is shown the URL's certificate."""
        authority = Certificate.loadPEM(Path(self.files.cafile).read_bytes())
        demanding = self._server(trustRoot=trustRootFromCertificates([authority]))
        own = {"certfile": self.files.certfile, "keyfile": self.files.keyfile}
        for options in ({"cacertfile": self.files.cafile}, {"verify": "verify_none"}):
            url = self._url(**options, **own)
            client, server, _ = shake_hands(connection_creator(url, "localhost"), demanding)
            self.assertEqual((client.received, server.received), (b"hello", b"hello"))
            url = self._url(**options)
            client, server, _ = shake_hands(connection_creator(url, "localhost"), demanding)
            self.assertEqual(server.received, b"")

    def test_chain(self) -> None:
        """Certificates behind our own in the file are sent along."""
        chain = self.directory / "chain.pem"
        chain.write_bytes(
            Path(self.files.certfile).read_bytes() + Path(self.files.cafile).read_bytes()
        )
        authority = Certificate.loadPEM(Path(self.files.cafile).read_bytes())
        demanding = self._server(trustRoot=trustRootFromCertificates([authority]))
        for certfile, others in ((self.files.certfile, []), (str(chain), ["CN=towerws tests"])):
            url = self._url(verify="verify_none", certfile=certfile, keyfile=self.files.keyfile)
            _, _, wrapped = shake_hands(connection_creator(url, "localhost"), demanding)
            sent = wrapped.getHandle().get_peer_cert_chain(as_cryptography=True) or []
            self.assertEqual([each.subject.rfc4514_string() for each in sent], others)

    def test_encrypted_key(self) -> None:
        """A key that is encrypted is told from one that does not fit; nobody is asked to type."""
        key = load_pem_private_key(Path(self.files.keyfile).read_bytes(), None)
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            encrypted = self.directory / "encrypted.pem"
            encrypted.write_bytes(
                key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"s3cret"))
            )
            url = self._url(certfile=self.files.certfile, keyfile=str(encrypted))
            with self.assertRaisesRegex(ConnectFailed, "keyfile .*encrypted.pem, is encrypted$"):
                connection_creator(url, "localhost")

    def test_weak_certificate(self) -> None:
        """A certificate that OpenSSL refuses to use is an error like the others."""
        certfile, keyfile = make_self_signed(self.directory, rsa.generate_private_key(65537, 1024))
        url = self._url(certfile=certfile, keyfile=keyfile)
        with self.assertRaisesRegex(ConnectFailed, "OpenSSL does not take the certfile"):
            connection_creator(url, "localhost")

    def test_unusable_files(self) -> None:
        """A file that is missing, not PEM, or of another key is named in the error."""
        junk = self.directory / "junk"
        junk.write_text("-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n")
        cafile, certfile, keyfile = self.files.cafile, self.files.certfile, self.files.keyfile
        for options, text in (
            ({"cacertfile": "/nowhere/ca.pem"}, "cacertfile.*/nowhere/ca.pem: No such file"),
            ({"cacertfile": keyfile}, "cacertfile.*no PEM certificate"),
            ({"cacertfile": str(junk)}, "cacertfile"),
            ({"certfile": certfile, "keyfile": "/nowhere"}, "keyfile.*No such file"),
            ({"certfile": certfile, "keyfile": cafile}, "certfile and keyfile"),
            ({"certfile": str(junk), "keyfile": keyfile}, "certfile and keyfile"),
            ({"certfile": cafile, "keyfile": keyfile}, "certfile and keyfile"),
        ):
            for verify in ("verify_peer", "verify_none"):
                if "cacertfile" in options and verify == "verify_none":
                    continue
                with self.assertRaisesRegex(ConnectFailed, text):
                    connection_creator(self._url(verify=verify, **options), "localhost")
