"""Several workers behind one port, as operators run them."""

import os
import signal
import socket
import ssl
import sys
import tempfile
from pathlib import Path

from tests.certificates import make_server_certificate
from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, TLS_VERSION, Client
from tests.integration.loopback import free_ports, wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import SHARED_EXCHANGE, ServerProcess

#: Enough that the kernel's choice leaves out no worker: of 2, once in 2**39.
_MANY = 40

#: Runs a command with a listening Unix socket in the way of systemd, which no parent can do for it:
#: the process id has to be known.
_ACTIVATE = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o640)
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
handed = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "websocket"}
os.execve(sys.argv[2], sys.argv[2:], os.environ | handed)
"""

#: With twist for a change; it has the services of twistd.
_TWIST = (sys.executable, "-m", "twisted", "--log-format=text")


def workers_of(server: ServerProcess) -> list[int]:
    """Find the process ids of a server's workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return sorted(int(pid) for pid in children.split())


def is_alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class WorkersCase(ServerCase):
    """A test with a server of two workers."""

    def crowd(self, server: ServerProcess, **groups: list[object]) -> list[Client]:
        """Connect clients to all workers, with the same groups."""
        clients = [self.client(server) for _ in range(_MANY)]
        for client in clients:
            client.subscribe(**groups)
        return clients

    def shares(self, server: ServerProcess) -> list[float]:
        """Tell how many clients each of the two workers has."""
        name = 'towerws_connections{worker="%d"}'
        return [server.metric(name % number) for number in (1, 2)]

    def wait_ready(self, server: ServerProcess) -> None:
        """Wait for all workers."""
        wait_until(lambda: server.unready() is None, PATIENCE, "the workers are not back")


class WorkersTests(WorkersCase):
    """``--workers 2``."""

    def test_ends(self) -> None:
        """A killed worker comes back, and nobody is refused; without a supervisor all end."""
        server = self.start_server("--workers", "2")
        clients = self.crowd(server, shared=[1])
        self.assertEqual(sum(self.shares(server)), _MANY)
        self.assertGreater(min(self.shares(server)), 0)
        self.assertEqual(server.emit("shared-1", b'{"n": 1}'), (202, {"connections": _MANY}))
        self.assertEqual([client.receive() for client in clients], [b'{"n": 1}'] * _MANY)

        victim, other = workers_of(server)
        survivors = _MANY - self.shares(server)[0]
        os.kill(victim, signal.SIGKILL)
        # Those that the kernel gives to the dead one wait for its successor.
        newcomers = self.crowd(server, later=[1])
        self.wait_ready(server)
        self.assertEqual(server.metric('towerws_worker_restarts_total{cause="signal"}'), 1)
        self.assertGreater(self.shares(server)[0], 0)
        reached = {"connections": survivors}
        self.assertEqual(server.emit("shared-1", b'{"n": 2}'), (202, reached))
        self.assertEqual(server.emit("later-1", b"{}"), (202, {"connections": _MANY}))
        workers = workers_of(server)
        self.assertIn(other, workers)
        self.assertIn("worker 1: it ended with signal 9; another one starts in 0 s", server.log())

        os.kill(server.pid, signal.SIGKILL)
        self.assertEqual({client.wait_closed() for client in newcomers}, {1012})
        self._wait_for_end(workers)

    def test_broker(self) -> None:
        """Each worker has a connection to the broker; what is emitted comes by it, once."""
        options = ("--workers", "2", "--exchange", SHARED_EXCHANGE)
        server = self.start_server(*options, broker=shared_node().url)
        for number in (1, 2):
            name = f'towerws_broker_connected{{worker="{number}"}}'
            self.assertEqual(server.metric(name), 1)
        # What a worker logs is as serious in the supervisor's log.
        self.assertIn(
            "WorkerProcess#info] worker 1: [towerws.amqp_bridge.AMQPBridge#info] ", server.log()
        )
        clients = self.crowd(server, workers=[1])
        self.assertGreater(min(self.shares(server)), 0)
        for event in (b'{"n": 1}', b'{"n": 2}'):
            self.assertEqual(server.emit("workers-1", event), (202, {"confirmed": True}))
            self.assertEqual([client.receive() for client in clients], [event] * _MANY)
        workers = workers_of(server)
        self.assertEqual(server.stop(), 0)
        self.assertEqual({client.wait_closed() for client in clients}, {1012})
        self._wait_for_end(workers)

    def test_terminated_together(self) -> None:
        """SIGTERM for all processes at once, as of systemd, ends them in order and no more."""
        server = self.start_server("--workers", "2")
        workers = workers_of(server)
        # The workers are faster: by the time the supervisor sees anything, they have ended.
        os.kill(server.pid, signal.SIGSTOP)
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        self._wait_for_end(workers)
        os.kill(server.pid, signal.SIGTERM)
        os.kill(server.pid, signal.SIGCONT)
        wait_until(lambda: not server.running, PATIENCE, "the supervisor does not end")
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("another one starts", server.log())

    def _wait_for_end(self, workers: list[int]) -> None:
        wait_until(lambda: not any(map(is_alive, workers)), PATIENCE, "a worker is still there")


class SocketsTests(WorkersCase):
    """Other sockets than TCP."""

    def setUp(self) -> None:
        """Make a place for a Unix socket."""
        directory = tempfile.TemporaryDirectory(prefix="towerws-test-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "socket"

    def connect(self, server: ServerProcess) -> Client:
        """Connect by way of the Unix socket."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.path))
        return self.client(server, sock=sock)

    def connect_securely(self, server: ServerProcess, port: int, cafile: str) -> Client:
        """Connect by way of TLS."""
        context = ssl.create_default_context(cafile=cafile)
        context.maximum_version = TLS_VERSION
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        return self.client(server, sock=context.wrap_socket(sock, server_hostname="localhost"))

    def test_unix_and_tls(self) -> None:
        """Workers share a Unix socket, which the end of one leaves to the others; TLS is served."""
        certificate = make_server_certificate(self.directory)
        (port,) = free_ports(1)
        keys = f"privateKey={certificate.keyfile}:certKey={certificate.certfile}"
        server = self.start_server(
            *("--workers", "2", "--listen", f"unix:{self.path}:mode=600"),
            *("--listen", f"ssl:{port}:interface=127.0.0.1:{keys}"),
        )
        clients = [self.connect(server) for _ in range(5)]
        for pid in workers_of(server):
            os.kill(pid, signal.SIGTERM)
        self.assertEqual({client.wait_closed() for client in clients}, {1012})
        clients = [self.connect(server), self.connect_securely(server, port, certificate.cafile)]
        self.wait_ready(server)
        for client in clients:
            client.subscribe(sockets=[1])
        self.assertEqual(server.emit("sockets-1", b"{}"), (202, {"connections": 2}))
        self.assertEqual([client.receive() for client in clients], [b"{}", b"{}"])
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        server.stop()
        self.assertFalse(self.path.exists())

    def test_systemd(self) -> None:
        """What systemd hands over is served, with and without workers, and not changed."""
        for workers in ("1", "2"):
            self.path.unlink(missing_ok=True)
            server = self.start_server(
                *("--listen", "systemd:domain=UNIX:name=websocket", "--workers", workers),
                command=(sys.executable, "-c", _ACTIVATE, str(self.path), *_TWIST),
            )
            client = self.connect(server)
            client.subscribe(systemd=[1])
            self.assertEqual(server.emit("systemd-1", b"{}"), (202, {"connections": 1}))
            self.assertEqual(client.receive(), b"{}")
            server.stop()
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)
