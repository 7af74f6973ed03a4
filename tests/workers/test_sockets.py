"""`towerws.workers.sockets`: opened by the one, accepted from by the others."""

import os
import select
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.plugins.twisted_core import systemdEndpointParser
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from towerws.network.adopting import AdoptedUNIXPort
from towerws.workers.sockets import (
    AcceptingReactor,
    HeldPort,
    OpeningReactor,
    accepting_description,
)


class SocketsCase(SynchronousTestCase):
    """A test with both ends of the matter."""

    def setUp(self) -> None:
        """Prepare."""
        self.reactor = MemoryReactorClock()
        self.factory = Factory()
        self.factory.noisy = False

    def listen(self, description: str, copies: int = 3) -> Deferred[HeldPort]:
        """Do what a supervisor does with an endpoint."""
        endpoint: Any = serverFromString(OpeningReactor(self.reactor, copies), description)
        listening: Deferred[HeldPort] = endpoint.listen(self.factory)
        return listening

    def open(self, description: str, copies: int = 3) -> HeldPort:
        """The same, where it succeeds."""
        port = self.successResultOf(self.listen(description, copies))
        self.addCleanup(self.close, port)
        return port

    def close(self, port: HeldPort) -> None:
        """Close what a supervisor has opened."""
        closed = port.stopListening()
        self.reactor.advance(0)
        self.successResultOf(closed)


class OpeningTests(SocketsCase):
    """The supervisor's part."""

    def test_tcp(self) -> None:
        """There is a socket for each worker on the same address, and the kernel uses all."""
        port = self.open("tcp:0:interface=127.0.0.1")
        self.assertEqual(len(port.sockets), 3)
        (address,) = {each.getsockname() for each in port.sockets}
        host: Any = port.getHost()
        self.assertEqual((host.host, host.port), address)
        self.assertEqual(self.reactor.readers, set())
        accepted = set()
        for _ in range(100):
            with socket.create_connection(address):
                for number, each in enumerate(port.sockets):
                    each.setblocking(False)
                    try:
                        each.accept()[0].close()
                    except BlockingIOError:
                        continue
                    accepted.add(number)
        self.assertEqual(accepted, {0, 1, 2})

    def test_ipv6(self) -> None:
        """The same with IPv6."""
        port = self.open(r"tcp6:0:interface=\:\:1")
        self.assertEqual(port.sockets[0].family, socket.AF_INET6)
        host: Any = port.getHost()
        self.assertEqual(host.host, "::1")

    def test_haproxy(self) -> None:
        """What is on top of TCP is the worker's part."""
        self.assertEqual(len(self.open("haproxy:tcp:0:interface=127.0.0.1").sockets), 3)

    def test_strangers(self) -> None:
        """The port is shared with nobody else, not even with another server that would share."""
        port = self.open("tcp:0:interface=127.0.0.1")
        number = port.sockets[0].getsockname()[1]
        for copies in (1, 2):
            error = self.failureResultOf(self.listen(f"tcp:{number}:interface=127.0.0.1", copies))
            self.assertEqual(error.value.errno, 98)
        self.close(port)
        self.open(f"tcp:{number}:interface=127.0.0.1")

    def test_unix(self) -> None:
        """A Unix socket is one for all, with its mode and its lock, and removed at the end."""
        path = Path(self.mktemp())
        port = self.open(f"unix:{path}:mode=600")
        (listening,) = port.sockets
        host: Any = port.getHost()
        self.assertEqual(host.name, str(path).encode())
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.reactor.readers, set())
        self.failureResultOf(self.listen(f"unix:{path}"), CannotListenError)
        worker = socket.socket(fileno=os.dup(listening.fileno()))
        self.addCleanup(worker.close)
        self.close(port)
        self.assertFalse(path.exists())
        # Not shut down, which would look like a connection: a worker ends its own listening.
        self.assertEqual(select.select([worker], [], [], 0), ([], [], []))

    def test_systemd(self) -> None:
        """What was handed over is held, and closed when nobody is to connect any more."""
        owner = socket.create_server(("127.0.0.1", 0))
        address = owner.getsockname()
        handed = ListenFDs([owner.detach()], ["web"])
        self.patch(type(systemdEndpointParser), "_sddaemon", handed)
        port = self.open("systemd:domain=INET:index=0")
        (listening,) = port.sockets
        self.assertEqual(listening.getsockname(), address)
        self.close(port)
        self.assertRaises(OSError, socket.create_connection, address)


class AcceptingTests(SocketsCase):
    """The worker's part."""

    def adopt(self, description: str, listening: socket.socket) -> tuple[int, Any]:
        """Do what a worker does with an endpoint; give the family and the factory."""
        adopted: list[tuple[int, Any]] = []

        def adopt(descriptor: int, family: int, factory: Any) -> None:
            os.fstat(descriptor)
            self.assertFalse(os.get_blocking(descriptor))
            adopted.append((family, factory))

        self.patch(self.reactor, "adoptStreamPort", adopt)
        descriptor = os.dup(listening.fileno())
        reactor = AcceptingReactor(self.reactor, descriptor)
        endpoint: Any = serverFromString(reactor, accepting_description(description))
        self.successResultOf(endpoint.listen(self.factory))
        self.assertRaises(OSError, os.fstat, descriptor)
        (result,) = adopted
        return result

    def test_tcp(self) -> None:
        """Whatever the string says, the socket counts; the descriptor is closed then."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            for description in (
                "tcp:1:interface=192.0.2.1",
                "tcp:1",
                "unix:/nonexistent/x",
                "systemd:domain=INET:index=7",
            ):
                adopted = self.adopt(description, listening)
                self.assertEqual(adopted, (socket.AF_INET, self.factory))

    def test_layers(self) -> None:
        """The proxy protocol is put on top."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            for description in ("haproxy:tcp:1", "haproxy:systemd:domain=UNIX:name=x"):
                _, factory = self.adopt(description, listening)
                self.assertIsInstance(factory, HAProxyWrappingFactory)

    def test_unix(self) -> None:
        """A Unix socket stays the supervisor's."""
        path = Path(self.mktemp())
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen()
            reactor = AcceptingReactor(self.reactor, os.dup(listening.fileno()))
            endpoint: Any = serverFromString(reactor, f"unix:{path}:mode=600:lockfile=0")
            port = self.successResultOf(endpoint.listen(self.factory))
            self.assertIsInstance(port, AdoptedUNIXPort)
            port.stopListening()
            self.reactor.advance(0)
            self.assertTrue(path.exists())

    def test_descriptions(self) -> None:
        """All strings but those that systemd is named in stay as they are."""
        for description in ("tcp:1", "unix:/run/systemd:x", "haproxy:tcp:1", "ssl:1:privateKey=x"):
            self.assertEqual(accepting_description(description), description)
        self.assertEqual(accepting_description("systemd:INET:0"), "tcp:0")
