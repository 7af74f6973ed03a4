"""A real server with TLS: certificates that are replaced while clients are connected."""

import os
import signal
import socket
import ssl
import tempfile
import warnings
from pathlib import Path

from tests.certificates import Authority
from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, TLS_VERSION, Client
from tests.integration.loopback import free_ports, wait_until
from tests.integration.server import ServerProcess
from tests.integration.test_workers import workers_of


class TLSCase(ServerCase):
    """A test with certificates in files."""

    def setUp(self) -> None:
        """Write them."""
        directory = tempfile.TemporaryDirectory(prefix="towerws-test-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.authority = Authority()
        (self.directory / "ca.pem").write_bytes(self.authority.certificate)
        self.replace()
        self.keys = (
            f"interface=127.0.0.1:privateKey={self.directory}/privkey.pem"
            f":certKey={self.directory}/fullchain.pem"
        )

    def replace(self, *, key: bool = True) -> None:
        """Put a new certificate and its key in place, or the certificate only."""
        between = Authority("between", self.authority)
        certificate, private = between.issue("localhost")
        (self.directory / "fullchain.pem").write_bytes(certificate + between.certificate)
        if key:
            (self.directory / "privkey.pem").write_bytes(private)

    def context(self, authority: Authority | None = None) -> ssl.SSLContext:
        """Make a context for clients, with a certificate of an authority or without one."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        context.maximum_version = TLS_VERSION
        if authority is not None:
            path = self.directory / "client.pem"
            path.write_bytes(b"".join(authority.issue("7")))
            context.load_cert_chain(path)
        return context

    def connect(
        self, port: int, context: ssl.SSLContext | None = None, header: bytes = b""
    ) -> ssl.SSLSocket:
        """Connect, and shake hands."""
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(sock.close)
        sock.sendall(header)
        secured = (context or self.context()).wrap_socket(sock, server_hostname="localhost")
        self.addCleanup(secured.close)
        return secured

    def serial(self, port: int) -> str:
        """Tell which certificate new connections get."""
        certificate = self.connect(port).getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])

    def subscriber(self, server: ServerProcess, sock: socket.socket) -> Client:
        """Connect a client that hears of the group tls-1."""
        client = self.client(server, sock=sock)
        client.subscribe(tls=[1])
        return client


class ReloadTests(TLSCase):
    """Certificates that are replaced."""

    def test_hangup(self) -> None:
        """After SIGHUP new connections get the new certificate; the others go on."""
        (port,) = free_ports(1)
        server = self.start_server("--listen", f"ssl:{port}:{self.keys}")
        client = self.subscriber(server, self.connect(port))
        first = self.serial(port)
        self.replace()
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for_log("a certificate anew")
        second = self.serial(port)
        self.assertNotEqual(second, first)
        # Of two files one has been replaced.
        self.replace(key=False)
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for_log("does not belong to the certificate")
        self.assertEqual(self.serial(port), second)
        for result in ("changed", "failed"):
            self.assertGreaterEqual(server.metric(f'towerws_reloads_total{{result="{result}"}}'), 1)
        self.assertEqual(server.emit("tls-1", b'{"n": 1}'), (202, {"connections": 1}))
        self.assertEqual(client.receive(), b'{"n": 1}')

    def test_workers(self) -> None:
        """With workers, whether SIGHUP is for the supervisor or for all: each reads them anew."""
        (port,) = free_ports(1)
        server = self.start_server("--workers", "2", "--listen", f"ssl:{port}:{self.keys}")
        clients = [self.subscriber(server, self.connect(port)) for _ in range(4)]
        workers = workers_of(server)
        self.replace()
        for pid in (*workers, server.pid):
            os.kill(pid, signal.SIGHUP)
        for number in (1, 2):
            self._wait_reloaded(server, number)
        self.assertEqual(len({self.serial(port) for _ in range(20)}), 1)
        self.assertEqual(workers_of(server), workers)
        self.assertEqual(server.emit("tls-1", b"{}"), (202, {"connections": 4}))
        self.assertEqual([client.receive() for client in clients], [b"{}"] * 4)
        self.assertNotIn("PRIVATE KEY", server.log())

    def _wait_reloaded(self, server: ServerProcess, worker: int) -> None:
        name = f'towerws_reloads_total{{worker="{worker}",result="changed"}}'
        wait_until(lambda: server.metric(name) >= 1, PATIENCE, f"worker {worker} did not")


class ListenersTests(TLSCase):
    """Kinds of listeners, and clients that are not let in."""

    def test_all(self) -> None:
        """One server with all of them."""
        plain, required, optional, proxied = free_ports(4)
        ca = f"clientCA={self.directory}/ca.pem"
        server = self.start_server(
            *("--listen", f"ssl:{plain}:{self.keys}"),
            *("--listen", f"ssl:{required}:{self.keys}:{ca}"),
            *("--listen", f"ssl:{optional}:{self.keys}:{ca}:clientCertificates=optional"),
            *("--listen", f"haproxy:ssl:{proxied}:{self.keys}"),
        )
        ours, theirs = self.context(self.authority), self.context(Authority("another"))
        header = b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 443\r\n"
        for sock in (
            self.connect(plain),
            self.connect(required, ours),
            self.connect(optional, ours),
            self.connect(optional),
            self.connect(proxied, header=header),
        ):
            self.subscriber(server, sock)
        self.assertEqual(server.emit("tls-1", b"{}"), (202, {"connections": 5}))
        for port, context in (
            (required, None),
            (required, theirs),
            (optional, theirs),
            (plain, self._old()),
            (proxied, None),
        ):
            with self.assertRaises(OSError):
                self.connect(port, context)
        self.assertEqual(server.metric("towerws_connections"), 5)

    def _old(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        with warnings.catch_warnings():
            # That it is old is the point.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context
