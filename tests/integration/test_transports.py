"""TCP, TLS and Unix sockets of one server: the same events, the same order, the same limits."""

import socket
import ssl
import tempfile
from pathlib import Path

from tests.certificates import make_server_certificate
from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, TLS_VERSION, Client
from tests.integration.loopback import free_ports, wait_until

#: Sizes of the events: some that fit any buffer, some that fit none.
_SIZES = (300, 5_000, 300, 600_000, 300, 60_000, 300, 300, 2_500_000, 300)

#: Some megabytes more than the kernel and the websockets library take for who does not read.
_ROUNDS = 4


class TransportTests(ServerCase):
    """A reader and one that does not read, on each kind of listener."""

    def setUp(self) -> None:
        """Start a server that listens in three ways."""
        directory = Path(tempfile.mkdtemp(prefix="towerws-"))
        self.addCleanup(directory.rmdir)
        path = directory / "socket"
        certificates = Path(self.mktemp()).resolve()
        certificates.mkdir()
        made = make_server_certificate(certificates)
        self.context = ssl.create_default_context(cafile=made.cafile)
        self.context.maximum_version = TLS_VERSION
        (port,) = free_ports(1)
        keys = f"privateKey={made.keyfile}:certKey={made.certfile}"
        self.server = self.start_server(
            *("--listen", f"unix:{path}"),
            *("--listen", f"ssl:{port}:interface=127.0.0.1:{keys}"),
        )
        self.addresses: dict[str, tuple[str, int] | str] = {
            "tcp": ("127.0.0.1", self.server.port),
            "tls": ("127.0.0.1", port),
            "unix": str(path),
        }

    def _connect(self, kind: str, *, reads: bool) -> socket.socket:
        connected = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        connected.settimeout(PATIENCE)
        if not reads:
            # So that what a client does not read stays with the server, and not in the kernel.
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connected.connect(self.addresses[kind])
        if kind != "tls":
            return connected
        return self.context.wrap_socket(connected, server_hostname="localhost")

    def _subscriber(self, kind: str, *, reads: bool) -> Client:
        client = Client(self.server.websocket_url, sock=self._connect(kind, reads=reads))
        self.addCleanup(client.close)
        client.subscribe(all=[1], some=[1] if reads else [])
        return client

    def test_order_and_limits(self) -> None:
        """Each reader gets each event in order, however large; who does not read is cut."""
        readers = [self._subscriber(kind, reads=True) for kind in self.addresses]
        for kind in self.addresses:
            self._subscriber(kind, reads=False)
        for number in range(_ROUNDS):
            for size in _SIZES:
                event = b'{"n": %d, "x": "%b"}' % (number, b"x" * size)
                self.assertEqual(self.server.emit("all-1", event)[0], 202)
                self.server.emit("some-1", b'{"between": %d}' % size)
                for reader in readers:
                    self.assertEqual(reader.receive(), event)
                    self.assertEqual(reader.receive_json(), {"between": size})
        self.assertEqual(self.server.metric("towerws_slow_readers_total"), 3)
        wait_until(
            lambda: self.server.metric("towerws_connections") == 3, PATIENCE, "nobody was dropped"
        )
