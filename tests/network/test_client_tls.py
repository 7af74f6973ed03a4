"""Tests of `towerws.network.client_tls`: real handshakes, in memory."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL.SSL import Error
from twisted.internet.error import ConnectionLost
from twisted.internet.ssl import CertificateOptions, PrivateCertificate, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import make_self_signed, make_server_certificate
from tests.network.tls_pair import TLS_WARNINGS, Peer, shake_hands
from towerws.network.client_tls import (
    ClientTLS,
    describe_tls_failure,
    load_authorities,
    read_certificates,
)


class ClientTLSTests(SynchronousTestCase):
    """A server's certificate must be for the name that was asked for."""

    suppress = TLS_WARNINGS

    def setUp(self) -> None:
        """Make a directory for files."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def _connect(
        self, name: str, certfile: str, keyfile: str, ca: str, *, verify: bool = True
    ) -> tuple[Peer, bytes | None]:
        """Connect by a name; give the client and the name that the server was told."""
        pem = Path(keyfile).read_bytes() + Path(certfile).read_bytes()
        trust_root = trustRootFromCertificates(load_authorities(ca))
        creator = ClientTLS(CertificateOptions(trustRoot=trust_root).getContext(), name, verify)
        client, _, wrapped = shake_hands(creator, PrivateCertificate.loadPEM(pem).options())
        handle = wrapped.getHandle()
        return client, None if handle is None else handle.get_servername()

    def _assert_refused(self, client: Peer) -> None:
        self.assertEqual(client.received, b"")
        assert client.ended is not None
        self.assertEqual(
            describe_tls_failure(client.ended.value, "its"),
            "its certificate is not valid for its host name",
        )

    def test_names(self) -> None:
        """The certificate's names and addresses are fine; a name is sent, an address is not."""
        files = make_server_certificate(self.directory, "app.example")
        for name, sent in (("app.example", b"app.example"), ("127.0.0.1", None)):
            client, told = self._connect(name, files.certfile, files.keyfile, files.cafile)
            self.assertEqual((client.received, told), (b"hello", sent))
        for name in ("other.example", "127.0.0.2", "::1"):
            client, _ = self._connect(name, files.certfile, files.keyfile, files.cafile)
            self._assert_refused(client)

    def test_names_with_underscores(self) -> None:
        """Names such as Docker's are sent and verified like others, with or without a last dot."""
        files = make_server_certificate(self.directory, "rabbit_1")
        for name in ("rabbit_1", "rabbit_1."):
            client, told = self._connect(name, files.certfile, files.keyfile, files.cafile)
            self.assertEqual((client.received, told), (b"hello", b"rabbit_1"))
        client, _ = self._connect("rabbit_2", files.certfile, files.keyfile, files.cafile)
        self._assert_refused(client)

    def test_certificate_without_names(self) -> None:
        """A trusted certificate that is for no host at all is refused."""
        certfile, keyfile = make_self_signed(
            self.directory, ec.generate_private_key(ec.SECP256R1())
        )
        client, _ = self._connect("localhost", certfile, keyfile, certfile)
        self._assert_refused(client)

    def test_without_verification(self) -> None:
        """Who asks for it takes any certificate."""
        files = make_server_certificate(self.directory)
        arguments = (files.certfile, files.keyfile, files.cafile)
        client, _ = self._connect("other.example", *arguments, verify=False)
        self.assertEqual(client.received, b"hello")


class FileTests(SynchronousTestCase):
    """Files with certificates."""

    def setUp(self) -> None:
        """Make certificates."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.files = make_server_certificate(self.directory)

    def test_certificates(self) -> None:
        """All of a file are found, whatever else is in it."""
        both = self.directory / "both.pem"
        both.write_bytes(
            b"".join(
                Path(each).read_bytes()
                for each in (self.files.keyfile, self.files.certfile, self.files.cafile)
            )
        )
        self.assertEqual(len(read_certificates(str(both))), 2)
        self.assertEqual(len(load_authorities(str(both))), 2)

    def test_none(self) -> None:
        """A file without any, or with a broken one, is told from one that is not there."""
        broken = self.directory / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        with self.assertRaisesRegex(ValueError, "^has no PEM certificate$"):
            read_certificates(self.files.keyfile)
        with self.assertRaisesRegex(ValueError, "^has a broken certificate$"):
            load_authorities(str(broken))
        with self.assertRaises(FileNotFoundError):
            load_authorities("/nowhere/ca.pem")


class DescribeTests(SynchronousTestCase):
    """Failures in words; that of a name is in `ClientTLSTests`."""

    def test_tls(self) -> None:
        """OpenSSL's reasons are told, all of them; without any the peer has just gone."""
        error = Error([("SSL", "f", "certificate verify failed"), ("SSL", "", "internal error")])
        self.assertEqual(
            describe_tls_failure(error, "its"),
            "TLS failed: certificate verify failed, internal error",
        )
        for empty in (Error(), Error([]), Error(-1, "Unexpected EOF")):
            self.assertEqual(
                describe_tls_failure(empty, "its"), "TLS failed: the peer closed the connection"
            )

    def test_others(self) -> None:
        """What is not TLS's is told by others."""
        self.assertIsNone(describe_tls_failure(ConnectionLost(), "its"))
        self.assertIsNone(describe_tls_failure(None, "its"))
