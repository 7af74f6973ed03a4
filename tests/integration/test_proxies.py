"""Clients behind proxies: a real server, and the bytes that HAProxy and nginx write."""

import socket
import struct

from tests.integration.case import ServerCase
from tests.integration.loopback import free_ports
from tests.integration.raw import RawClient, handshake

#: Version 1 and 2 of the PROXY protocol, as HAProxy's ``send-proxy`` and ``send-proxy-v2`` write
#: them; https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, sections 2.1 and 2.2.
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def _version_1(address: str) -> bytes:
    return f"PROXY TCP4 {address} 192.0.2.1 40000 443\r\n".encode()


def _version_2(address: str) -> bytes:
    ends = (
        socket.inet_aton(address) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 443)
    )
    return _SIGNATURE + struct.pack("!BBH", 0x21, 0x11, len(ends)) + ends


class ProxyTests(ServerCase):
    """The limits of addresses are those of clients, not of the proxy."""

    def setUp(self) -> None:
        """Start a server that has a listener for HAProxy, and trusts this machine."""
        (self.haproxy_port,) = free_ports(1)
        self.server = self.start_server(
            *("--listen", f"haproxy:tcp:{self.haproxy_port}:interface=127.0.0.1"),
            *("--trusted-proxy", "127.0.0.1"),
            *("--max-connections-per-address", "2"),
        )

    def _connect(self, port: int, before: bytes = b"") -> RawClient:
        client = RawClient(port)
        self.addCleanup(client.sock.close)
        client.send(before)
        return client

    def _assert_refused(self, client: RawClient, *headers: str) -> None:
        client.send(handshake(headers=headers))
        status, *lines = client.read_head()
        self.assertEqual(status, "HTTP/1.1 429 Too Many Requests")
        self.assertIn("Retry-After: 10", lines)

    def test_limits(self) -> None:
        """Both kinds of PROXY header, and X-Forwarded-For; events come through all of them."""
        headers = (_version_1("203.0.113.9"), _version_2("203.0.113.9"), _version_1("203.0.113.10"))
        clients = [self._connect(self.haproxy_port, header) for header in headers]
        for client in clients:
            client.open()
            client.subscribe("jobs", "1")
        self._assert_refused(self._connect(self.haproxy_port, _version_2("203.0.113.9")))
        # The first address is what the client claims, the second what nginx has seen.
        line = "X-Forwarded-For: 203.0.113.9, 198.51.100.7"
        for _ in range(2):
            clients.append(self._connect(self.server.port))
            clients[-1].open([line])
            clients[-1].subscribe("jobs", "1")
        self._assert_refused(self._connect(self.server.port), line)
        self.server.emit("jobs-1", b"{}")
        for client in clients:
            self.assertEqual(client.read_frame().payload, b"{}")
        for _ in range(3):
            # Programs of this machine are not limited.
            self._connect(self.server.port).open()
        limited = 'towerws_limited_total{limit="connections_per_address"}'
        self.assertEqual(self.server.metric(limited), 2)
        log = self.server.log()
        self.assertEqual(log.count("over the limit connections_per_address"), 1)
        self.assertIn("address 203.0.113.9", log)
