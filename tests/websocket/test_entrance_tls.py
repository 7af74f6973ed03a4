"""`towerws.websocket.entrance`: clients that come with TLS."""

from typing import Any

from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.network.tls_case import TLSCase
from tests.network.tls_client import MemoryTLSClient
from tests.raw_websocket import REQUEST
from tests.websocket.entrance_case import EntranceCase, request
from towerws.core.forwarding import Proxies
from towerws.network.eager import EagerTLSProtocol

#: Where Twisted's transport in memory says that it comes from.
_PEER = "192.168.1.1"

_HEADER = b"PROXY TCP4 %s 192.0.2.1 40000 443\r\n"


class TLSTests(EntranceCase, TLSCase):
    """A listener with TLS of its own."""

    def setUp(self) -> None:
        """Write the files."""
        EntranceCase.setUp(self)
        TLSCase.setUp(self)

    def _come(
        self, certificate: bytes = b"", key: bytes = b"", header: bytes = b"", **more: str
    ) -> MemoryTLSClient:
        factory: Any = TLSMemoryBIOFactory(self.tls(**more), False, self.factory, self.reactor)
        factory.protocol = EagerTLSProtocol
        if header:
            factory = HAProxyWrappingFactory(factory)
        return MemoryTLSClient(factory, self.context(certificate, key), header=header)

    def _status(self, client: MemoryTLSClient, request: bytes = REQUEST) -> int:
        client.write(request)
        return int(client.read().split()[1])

    def test_limit(self) -> None:
        """Who is over a limit gets no answer: it would take a handshake of TLS."""
        self.listen(max_connections_per_address=1)
        first, second = self._come(), self._come()
        self.assertEqual(self._status(first), 101)
        self.assertTrue(second.wire.disconnected or second.wire.disconnecting)
        self.assertEqual(second.wire.value(), b"")
        self.assertEqual(self.limited("connections_per_address"), 1)

    def test_scheme(self) -> None:
        """A page without TLS may not connect, unless a trusted proxy is at the other end."""
        insecure, secure = (
            request(f"Origin: {scheme}://localhost:8051") for scheme in ("http", "https")
        )
        self.listen()
        self.assertEqual(self._status(self._come(), insecure), 403)
        self.assertEqual(self._status(self._come(), secure), 101)
        self.listen(trusted_proxies=Proxies([_PEER]))
        self.assertEqual(self._status(self._come(), insecure), 101)

    def test_certificate(self) -> None:
        """A client's certificate is shown to the authenticator."""
        self.listen()
        certificate, key = self.authority.issue("client")
        client = self._come(certificate, key, client_ca=self.ca)
        self.assertEqual(self._status(client), 101)
        self._status(self._come())
        with_one, without = (shown.certificate for shown in self.authenticator.shown)
        assert with_one is not None
        self.assertEqual(with_one.get_subject().CN, "client")
        self.assertIsNone(without)

    def test_haproxy(self) -> None:
        """Behind a PROXY header, which is below TLS, clients are limited one by one."""
        self.listen(max_connections_per_address=1)
        statuses = [
            self._status(self._come(header=_HEADER % address))
            for address in (b"203.0.113.9", b"203.0.113.9", b"198.51.100.7")
        ]
        self.assertEqual(statuses, [101, 429, 101])
        self.assertEqual(self.authenticator.shown[0].address, "203.0.113.9")
