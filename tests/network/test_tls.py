"""`towerws.network.tls`: endpoint strings, certificates that change, and those of clients."""

import os
import ssl
from pathlib import Path
from typing import Any

from OpenSSL import crypto
from twisted.internet import tcp
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs, formatEvent

from tests.certificates import Authority
from tests.network.tls_case import TLSCase
from tests.network.tls_client import MemoryTLSClient, Served
from towerws.core.metrics import Metrics
from towerws.network.eager import EagerTLSProtocol, write_eagerly
from towerws.network.tls import ServerTLS, TLSEndpoint, peer_certificate, split_tls
from towerws.network.tls_context import TLSError


class DescriptionTests(TLSCase):
    """`split_tls` reads what Twisted reads, and two keys more."""

    def split(self, arguments: str) -> tuple[str, ServerTLS]:
        """Split an endpoint string of the kind ``ssl``."""
        below, tls = split_tls(f"ssl:{arguments}")
        assert tls is not None
        return below, tls

    def test_others(self) -> None:
        """Other kinds stay as they are."""
        for description in ("tcp:8051", "unix:/run/ssl:mode=600", "haproxy:tcp:1", "sslx:1", ""):
            self.assertEqual(split_tls(description), (description, None))

    def test_below(self) -> None:
        """Port, interface and backlog are those of what is below, escapes included."""
        keys = f"privateKey={self.key}:certKey={self.certificate}"
        loopback = quoteStringArgument("::1")
        for arguments, below, address in (
            (f"8443:{keys}", "tcp:8443:interface=", "*:8443"),
            (f"8443:{self.key}:{self.certificate}", "tcp:8443:interface=", "*:8443"),
            (
                f"8443:{keys}:interface={loopback}",
                f"tcp:8443:interface={loopback}",
                "[::1]:8443",
            ),
            (
                f"port=8443:{keys}:backlog=7:interface=127.0.0.1",
                "tcp:8443:interface=127.0.0.1:backlog=7",
                "127.0.0.1:8443",
            ),
        ):
            found, tls = self.split(arguments)
            self.assertEqual(found, below)
            self.assertEqual(tls.address, address)
            self.assertEqual(set(tls.files), {self.key, self.certificate})
            serverFromString(MemoryReactorClock(), found)

    def test_behind_a_proxy(self) -> None:
        """The PROXY header is below TLS."""
        keys = f"privateKey={self.key}:certKey={self.certificate}"
        below, tls = split_tls(f"haproxy:haproxy:ssl:1:{keys}")
        self.assertEqual(below, "haproxy:haproxy:tcp:1:interface=")
        self.assertIsNotNone(tls)

    def test_one_file(self) -> None:
        """Key and certificate are in one file, server.pem, unless it is said otherwise."""
        both = [Path(path).read_bytes() for path in (self.key, self.certificate)]
        path = self.write("server.pem", *both)
        _, tls = self.split(f"1:privateKey={path}")
        self.assertEqual(tls.files, (path,))
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        made = [self.split(arguments)[1] for arguments in ("1", "1:certKey=server.pem")]
        os.chdir(before)
        # Read anew wherever twistd has gone meanwhile.
        for tls in made:
            self.assertEqual(tls.files, (path,))
            self.assertTrue(tls.reload())

    def test_colons(self) -> None:
        """A path with a colon is written as Twisted has it."""
        both = [Path(path).read_bytes() for path in (self.key, self.certificate)]
        path = self.write("a:b=c.pem", *both)
        _, tls = self.split(f"1:privateKey={quoteStringArgument(path)}")
        self.assertEqual(tls.files, (path,))

    def test_all_files(self) -> None:
        """Whatever is read is watched."""
        chain = self.write("chain.pem", self.authority.certificate)
        _, tls = self.split(
            f"1:privateKey={self.key}:certKey={self.certificate}:extraCertChain={chain}"
            f":clientCA={self.ca}"
        )
        self.assertEqual(tls.files, (self.certificate, self.key, chain, self.ca))

    def test_mistakes(self) -> None:
        """What is wrong is one sentence."""
        keys = f"privateKey={self.key}:certKey={self.certificate}"
        for arguments, sentence in (
            ("", "there is no port"),
            (keys, "there is no port"),
            (f"1:{keys}:sslmethod=TLSv1_METHOD", "sslmethod is not supported"),
            (f"1:{keys}:clientCA={self.ca}:clientCertificates=maybe", "not 'maybe'"),
            (f"1:{keys}:clientCertificates=optional", "clientCertificates needs clientCA"),
            (f"1:{keys}:clientca={self.ca}", "'clientca' is not one of port, privateKey, "),
            (f"1:/a:{keys}", "too many arguments: privateKey"),
            (f"1:{keys}:interface=::1", "certKey, privateKey (a colon within a value is written"),
            ("1:2:3:4:5:6:7:8:9", "too many arguments: 9"),
            ("1:privateKey=/nonexistent", "/nonexistent cannot be read"),
        ):
            error = self.assertRaises(TLSError, split_tls, f"ssl:{arguments}")
            self.assertIn(sentence, str(error))
            self.assertNotIn("\n", str(error))
        error = self.assertRaises(TLSError, split_tls, "haproxy:ssl")
        self.assertEqual(str(error), "there is no port")


class ReloadTests(TLSCase):
    """A certificate that is replaced."""

    def replace(self, days: int = 90) -> None:
        """Write a new certificate and its key."""
        certificate, key = self.authority.issue("localhost", days)
        self.write("certificate.pem", certificate)
        self.write("key.pem", key)

    def test_new_connections(self) -> None:
        """New connections get the new one; those that are there go on with the old."""
        tls = self.tls()
        before = self.connect(tls)
        self.replace()
        self.assertEqual(self.connect(tls).certificate, before.certificate)
        self.assertTrue(tls.reload())
        after = self.connect(tls)
        self.assertIsNone(after.error)
        self.assertNotEqual(after.certificate, before.certificate)
        for client in (before, after):
            client.write(b"to the server")
            self.assertEqual(client.served.received, b"to the server")
            assert client.served.transport is not None
            client.served.transport.write(b"to the client")
            self.assertEqual(client.read(), b"to the client")

    def test_half(self) -> None:
        """While one file is new and one is old, the old pair stays."""
        tls = self.tls()
        before = self.connect(tls).certificate
        certificate, key = self.authority.issue("localhost", 90)
        self.write("certificate.pem", certificate)
        with capturedLogs() as logs:
            self.assertFalse(tls.reload())
        (line,) = (formatEvent(event) for event in logs)
        self.assertIn("127.0.0.1:8443 keeps its certificate, valid until 20", line)
        self.assertIn(f"the key in {self.key} does not belong to the certificate", line)
        self.assertEqual(self.connect(tls).certificate, before)
        self.write("key.pem", key)
        self.assertTrue(tls.reload())
        self.assertNotEqual(self.connect(tls).certificate, before)

    def test_told(self) -> None:
        """The log and the metrics say until when it is valid; nothing has the key."""
        tls = self.tls()
        metrics = Metrics()
        with capturedLogs() as logs:
            tls.attach(metrics)
        self.assertIn(self.certificate, formatEvent(logs[0]))
        name = 'towerws_certificate_expires_timestamp_seconds{listener="127.0.0.1:8443"}'

        def expires() -> float:
            (line,) = (each for each in metrics.render().splitlines() if each.startswith(name))
            return float(line.split()[1])

        before = expires()
        self.assertEqual(before, tls.expires.timestamp())
        self.replace(days=90)
        with capturedLogs() as logs:
            tls.reload()
        self.assertAlmostEqual(expires() - before, 89 * 86_400, delta=60)
        (line,) = (formatEvent(event) for event in logs)
        self.assertIn(f"from {self.certificate}, valid until {tls.expires.isoformat()}", line)
        self.assertNotIn("PRIVATE", line + repr(tls) + repr(vars(tls)))

    def test_authorities(self) -> None:
        """The authorities of clients are read anew as well."""
        tls = self.tls(client_ca=self.ca)
        certificate, key = self.authority.issue("7")
        context = self.context(certificate, key)
        self.assertIsNone(self.connect(tls, context).error)
        self.ca = self.write("ca.pem", Authority().certificate)
        self.assertTrue(tls.reload())
        self.assertIsNotNone(self.connect(tls, context).error)


class ClientCertificateTests(TLSCase):
    """Certificates that clients show."""

    def client(self, authority: Authority | None, *, required: bool) -> MemoryTLSClient:
        """Connect with a certificate of an authority, or with none."""
        context = self.context(*(authority.issue("7") if authority else ()))
        return self.connect(self.tls(client_ca=self.ca, client_required=required), context)

    def shown(self, client: MemoryTLSClient) -> str | None:
        """Give the name in the certificate that the server's side has."""
        found = peer_certificate(client.server)
        if found is None:
            return None
        self.assertIsInstance(found, crypto.X509)
        return found.to_cryptography().subject.rfc4514_string()

    def test_shown(self) -> None:
        """Who shows a certificate of the authority is known by it."""
        for required in (True, False):
            client = self.client(self.authority, required=required)
            self.assertIsNone(client.error)
            self.assertEqual(self.shown(client), "CN=7")

    def test_none(self) -> None:
        """Who shows none is refused where one is required."""
        client = self.client(None, required=True)
        self.assertEqual(getattr(client.error, "reason", ""), "TLSV13_ALERT_CERTIFICATE_REQUIRED")
        client.write(b"hello")
        self.assertEqual(client.served.received, b"")
        client = self.client(None, required=False)
        self.assertIsNone(client.error)
        self.assertIsNone(self.shown(client))

    def test_stranger(self) -> None:
        """A certificate of somebody else is refused, required or not."""
        for required in (True, False):
            client = self.client(Authority("another"), required=required)
            self.assertEqual(getattr(client.error, "reason", ""), "TLSV1_ALERT_UNKNOWN_CA")
            self.assertTrue(client.wire.disconnecting)
            self.assertEqual(client.served.received, b"")

    def test_not_asked(self) -> None:
        """Without authorities none is asked for."""
        client = self.connect(self.tls(), self.context(*self.authority.issue("7")))
        self.assertIsNone(client.error)
        self.assertIsNone(self.shown(client))

    def test_names(self) -> None:
        """Clients are told the authorities, so that browsers offer the right certificates."""
        # Of TLS 1.2, since what follows the first flight of TLS 1.3 is encrypted.
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        seen: list[bytes] = []
        tls = self.tls(client_ca=self.ca, client_required=False)
        client = MemoryTLSClient(tls, context, tap=seen.append)
        self.assertIsNone(client.error)
        sent = b"".join(seen)
        assert client.certificate is not None
        # Certificates have the name of the authority in them as well, and OpenSSL adds its own.
        for certificate in (
            client.certificate,
            ssl.PEM_cert_to_DER_cert(Path(self.ca).read_text()),
        ):
            sent = sent.replace(certificate, b"")
        self.assertIn(b"towerws tests", sent)

    def test_other_transports(self) -> None:
        """No TLS and lost connections have none."""
        self.assertIsNone(peer_certificate(StringTransport()))
        client = self.connect(self.tls())
        client.server._tlsConnection = None
        self.assertIsNone(peer_certificate(client.server))


class EndpointTests(TLSCase):
    """`TLSEndpoint` on what is below."""

    def listen(self, description: str) -> Any:
        """Give the factory that listens at the bottom."""
        reactor = MemoryReactorClock()
        below, tls = split_tls(
            f"{description}:privateKey={self.key}:certKey={self.certificate}:interface=127.0.0.1"
        )
        assert tls is not None
        endpoint = TLSEndpoint(serverFromString(reactor, below), tls, reactor)
        self.successResultOf(endpoint.listen(Factory.forProtocol(Served)))
        ((port, factory, backlog, interface),) = reactor.tcpServers
        self.assertEqual((port, backlog, interface), (8443, 7, "127.0.0.1"))
        # What tells the transports of a port that they are to write at once.
        listening = tcp.Port(0, factory, reactor=reactor)
        write_eagerly(listening)
        return factory

    def test_listen(self) -> None:
        """What comes is decrypted, and what is written leaves at once."""
        client = MemoryTLSClient(self.listen("ssl:8443:backlog=7"), self.context())
        client.write(b"hello")
        self.assertEqual(client.served.received, b"hello")
        self.assertIsInstance(client.server, EagerTLSProtocol)
        client.served.transport.write(b"event")
        # Nobody has advanced a clock.
        self.assertEqual(client.read(), b"event")

    def test_proxy(self) -> None:
        """A PROXY header comes before TLS; it tells the address, TLS the certificate."""
        factory = self.listen("haproxy:ssl:8443:backlog=7")
        header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
        client = MemoryTLSClient(factory, self.context(), header=header)
        self.assertIsNone(client.error)
        client.write(b"hello")
        self.assertEqual(client.served.received, b"hello")
        self.assertEqual(client.served.transport.getPeer().host, "192.0.2.7")
        client.served.transport.write(b"event")
        self.assertEqual(client.read(), b"event")

    def test_without_header(self) -> None:
        """Who does not come by the proxy is not served."""
        client = MemoryTLSClient(self.listen("haproxy:ssl:8443:backlog=7"), self.context())
        self.assertTrue(client.wire.disconnecting)
