"""`towerws.websocket.entrance`: clients behind proxies."""

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory

from tests.hubs import publish
from tests.raw_websocket import SUBSCRIBE_FRAME
from tests.websocket.entrance_case import HOME, EntranceCase, request
from tests.websocket_pair import MemoryTransport
from towerws.core.forwarding import Proxies

_PROXY = IPv4Address("TCP", "10.0.0.5", 40_000)


class ProxyTests(EntranceCase):
    """Connections by proxies."""

    def setUp(self) -> None:
        """Trust one, and allow two connections of an address."""
        super().setUp()
        self.proxies = Proxies(["10.0.0.5", "unix"])
        self.listen(trusted_proxies=self.proxies, max_connections_per_address=2)

    def _addresses(self) -> list[str]:
        return [shown.address for shown in self.authenticator.shown]

    def test_clients(self) -> None:
        """Clients of a trusted proxy are told apart by its header, and limited one by one."""
        for peer in (_PROXY, UNIXAddress(None)):
            self.setUp()
            for client in ("203.0.113.9", "2001:db8:1:2::1"):
                lines = (f"X-Forwarded-For: 192.0.2.1, {client}",)
                self.assertEqual([self.status(peer, *lines) for _ in range(3)], [101, 101, 429])
            self.assertEqual(self._addresses()[::2], ["203.0.113.9", "2001:db8:1:2::1"])
            self.assertEqual(self.limited("connections_per_address"), 2)

    def test_leaving(self) -> None:
        """A client that has left makes room."""
        line = "X-Forwarded-For: 203.0.113.9"
        clients = []
        for _ in range(2):
            self.assertEqual(self.status(_PROXY, line), 101)
            clients.append(self.wire)
        self.assertEqual(self.status(_PROXY, line), 429)
        clients[0].abortConnection()
        self.reactor.advance(0)
        self.assertEqual([self.status(_PROXY, line), self.status(_PROXY, line)], [101, 429])

    def test_itself(self) -> None:
        """The proxy is not limited, whether it says something or not, or nothing useful."""
        for lines in ((), ("X-Forwarded-For: unknown",), ("X-Forwarded-For: 10.0.0.5",)):
            self.assertEqual([self.status(_PROXY, *lines) for _ in range(5)], [101] * 5)
        silent = [MemoryTransport(self.reactor, self.factory, _PROXY) for _ in range(5)]
        self.assertEqual([wire.closed for wire in silent], [None] * 5)

    def test_untrusted(self) -> None:
        """Others cannot choose their address, and this machine cannot unless it is named."""
        line = "X-Forwarded-For: 192.0.2.1"
        self.assertEqual([self.status(HOME, line) for _ in range(3)], [101, 101, 429])
        self.assertEqual(self.status(IPv4Address("TCP", "127.0.0.1", 1), line), 101)
        self.assertEqual(self._addresses(), ["203.0.113.9"] * 2 + ["127.0.0.1"])

    def test_claiming_to_be_local(self) -> None:
        """An address of this machine in a header is limited as any other."""
        line = "X-Forwarded-For: 127.0.0.1"
        self.assertEqual([self.status(_PROXY, line) for _ in range(3)], [101, 101, 429])

    def test_no_smuggling(self) -> None:
        """No byte within another header makes one that a proxy would have written."""
        for byte in "\x0b\x0c\x1c\x1d\x1e\x85":
            self.authenticator.shown.clear()
            wire = MemoryTransport(self.reactor, self.factory, _PROXY)
            wire.deliver(
                request(
                    f"X-Forwarded-For: 203.0.113.{ord(byte)}",
                    f"Cookie: a=1{byte}X-Forwarded-For: 192.0.2.1",
                )
            )
            self.assertEqual(self._addresses(), [f"203.0.113.{ord(byte)}"])
        self.assertEqual(self.status(_PROXY, "X-Forwarded-For : 192.0.2.1"), 400)

    def test_scheme(self) -> None:
        """Where the proxy tells the page's scheme, pages of the other one may not connect."""
        insecure, secure = "Origin: http://localhost:8051", "Origin: https://localhost:8051"
        https = "X-Forwarded-Proto: https"
        self.assertEqual(self.status(_PROXY, https, insecure), 403)
        self.assertEqual(self.status(_PROXY, https, secure), 101)
        self.assertEqual(self.status(_PROXY, insecure), 101)
        self.assertEqual(self.status(HOME, https, insecure), 101)


class HAProxyTests(EntranceCase):
    """Connections that HAProxy, or another, says a line about before all else."""

    def _connect(self, client: str) -> MemoryTransport:
        wire = MemoryTransport(self.reactor, HAProxyWrappingFactory(self.factory), _PROXY)
        wire.deliver(f"PROXY TCP4 {client} 192.0.2.1 40000 8051\r\n".encode())
        return wire

    def _come(self, client: str, *lines: str) -> int:
        self.wire = self._connect(client)
        self.wire.deliver(request(*lines))
        self.wire.drain()
        return int(self.wire.taken.split()[1])

    def test_clients(self) -> None:
        """They are told apart by it, and limited one by one; the proxy is not."""
        self.listen(max_connections_per_address=1)
        for client in ("203.0.113.9", "198.51.100.7"):
            self.assertEqual([self._come(client), self._come(client)], [101, 429])
        self.assertEqual(
            [shown.address for shown in self.authenticator.shown], ["203.0.113.9", "198.51.100.7"]
        )
        silent = [self._connect("192.0.2.7") for _ in range(3)]
        self.assertEqual([wire.closed for wire in silent], [None] * 3)

    def test_forwarded(self) -> None:
        """A client is no proxy for having come by one, unless it is named."""
        self.listen(trusted_proxies=Proxies(["10.0.0.5", "198.51.100.7"]))
        for client in ("203.0.113.9", "198.51.100.7"):
            self._come(client, "X-Forwarded-For: 192.0.2.7")
        self.assertEqual(
            [shown.address for shown in self.authenticator.shown], ["203.0.113.9", "192.0.2.7"]
        )

    def test_itself(self) -> None:
        """HAProxy's own checks, which have no client, come from HAProxy."""
        self.listen(max_connections_per_address=1)
        wire = MemoryTransport(self.reactor, HAProxyWrappingFactory(self.factory), _PROXY)
        # Version 2, as Twisted does not understand "PROXY UNKNOWN" with nothing behind it.
        wire.deliver(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0" + request())
        self.assertEqual(self.authenticator.shown[0].address, "10.0.0.5")

    def test_events(self) -> None:
        """Events go out behind it as anywhere else, and everything ends with the connection."""
        self.listen()
        self._come("203.0.113.9")
        self.wire.taken.clear()
        self.wire.deliver(SUBSCRIBE_FRAME)
        publish(self.hub, ("jobs-1", b"{}"))
        self.wire.drain()
        self.assertTrue(bytes(self.wire.taken).endswith(b"\x81\x02{}"))
        self.wire.abortConnection()
        self.reactor.advance(0)
        self.assertEqual(self.counted("towerws_connections"), 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
