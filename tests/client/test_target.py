"""URLs of websocket servers."""

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from towerws.client.target import CONNECT_TIMEOUT, Target


class ParseTests(SynchronousTestCase):
    """`Target.parse` takes a URL apart, or says what is wrong with it."""

    def test_whole(self) -> None:
        """Every part is taken."""
        target = Target.parse("wss://awx.example.com:8443/prefix/websocket/?a=%20b")
        self.assertEqual(
            target, Target("awx.example.com", 8443, "/prefix/websocket/?a=%20b", tls=True)
        )

    def test_defaults(self) -> None:
        """The port is that of the scheme, the path that of towerws and AWX."""
        self.assertEqual(Target.parse("ws://localhost"), Target("localhost", 80, "/websocket/"))
        self.assertEqual(Target.parse("wss://[::1]").port, 443)

    def test_unix_socket(self) -> None:
        """A Unix socket is given by its path."""
        target = Target.parse("ws+unix:///run/towerws.sock")
        self.assertEqual(target.socket, "/run/towerws.sock")
        self.assertEqual((target.name, target.authority), ("/run/towerws.sock", "localhost:80"))

    def test_authority(self) -> None:
        """An IPv6 address has brackets in the Host header."""
        self.assertEqual(Target.parse("ws://[::1]:8051").authority, "[::1]:8051")
        self.assertEqual(Target.parse("ws://localhost:8051").name, "localhost:8051")

    def test_refused(self) -> None:
        """Each mistake gets a sentence, and none repeats a password."""
        for url, sentence in (
            ("http://secret@localhost", "does not begin with"),
            ("ws://me:secret@localhost/", "has a user name"),
            ("ws:///websocket/", "not ws://HOST"),
            ("ws://localhost/#secret", "not ws://HOST"),
            ("ws://localhost:0/", "the port"),
            ("ws://localhost:secret/", "the port"),
            ("ws://localhost:70000/", "the port"),
            ("ws://localhost/sécret", "percent-encoded"),
            ("ws://localhost/a secret", "percent-encoded"),
            ("ws://[secret/", "not ws://HOST"),
            ("ws+unix://secret/a", "ws+unix:///path"),
            ("ws+unix:///", "ws+unix:///path"),
        ):
            error = self.assertRaises(ValueError, Target.parse, url)
            self.assertIn(sentence, str(error), url)
            self.assertNotIn("secret", str(error))


class EndpointTests(SynchronousTestCase):
    """`Target.endpoint` connects as the URL says."""

    def test_tcp(self) -> None:
        """Without TLS the endpoint is plain."""
        endpoint = Target.parse("ws://localhost:1/").endpoint(MemoryReactorClock())
        self.assertIsInstance(endpoint, HostnameEndpoint)

    def test_address(self) -> None:
        """An address that was looked up is not looked up again."""
        target = Target.parse("ws://localhost:1/")
        for address, kind in (("127.0.0.1", TCP4ClientEndpoint), ("::1", TCP6ClientEndpoint)):
            reactor = MemoryReactorClock()
            endpoint = target.endpoint(reactor, address)
            self.assertIsInstance(endpoint, kind)
            endpoint.connect(Factory())
            host, port, _factory, timeout, _bind = reactor.tcpClients[0]
            self.assertEqual((host, port, timeout), (address, 1, CONNECT_TIMEOUT))

    def test_tls(self) -> None:
        """With TLS it is wrapped."""
        endpoint = Target.parse("wss://localhost:1/").endpoint(MemoryReactorClock())
        self.assertIn("Wrapper", type(endpoint).__name__)

    def test_unix(self) -> None:
        """A Unix socket is connected to by its path."""
        endpoint = Target.parse("ws+unix:///a").endpoint(MemoryReactorClock())
        self.assertIsInstance(endpoint, UNIXClientEndpoint)
