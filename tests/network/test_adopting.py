"""`towerws.network.adopting`: sockets that somebody else has opened."""

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.plugins.twisted_core import systemdEndpointParser
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from towerws.network.adopting import AdoptingReactor, inherited_address


class AdoptedUNIXPortTests(SynchronousTestCase):
    """A Unix socket of somebody else."""

    def setUp(self) -> None:
        """Open it, with a mode of its own, and adopt it."""
        self.path = Path(self.mktemp())
        self.owner = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.owner.close)
        self.owner.bind(str(self.path))
        self.owner.listen()
        self.owner.setblocking(False)
        self.path.chmod(0o640)
        self.reactor = MemoryReactorClock()
        self.accepted: list[Protocol] = []
        factory = Factory.forProtocol(self._protocol)
        factory.noisy = False
        self.port: Any = AdoptingReactor(self.reactor).adoptStreamPort(
            self.owner.fileno(), socket.AF_UNIX, factory
        )

    def _protocol(self) -> Protocol:
        protocol = Protocol()
        self.accepted.append(protocol)
        return protocol

    def _connect(self) -> None:
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(str(self.path))

    def test_accepts(self) -> None:
        """Connections come in."""
        self.assertTrue(IListeningPort.providedBy(self.port))
        self.assertIn(self.port, self.reactor.readers)
        self._connect()
        self.port.doRead()
        (protocol,) = self.accepted
        protocol.transport.abortConnection()
        self.assertEqual(self.port.getHost().name, str(self.path).encode())

    def test_stays_as_it_is(self) -> None:
        """The mode is not ours to change, nor is the path ours to remove, nor others to silence."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)
        stopped = self.port.stopListening()
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertTrue(self.path.exists())
        self._connect()
        self.owner.accept()[0].close()
        self.assertEqual(self.accepted, [])


class AdoptingReactorTests(SynchronousTestCase):
    """A reactor in front of another one."""

    def test_everything_else(self) -> None:
        """Other sockets, and all that is no socket, are the real one's affair."""
        reactor = MemoryReactorClock()
        adopting = AdoptingReactor(reactor)
        port: Any = adopting.adoptStreamPort(0, socket.AF_INET, Factory())
        self.assertEqual(port.getHost().port, 1234)
        adopting.advance(5)
        self.assertEqual(reactor.seconds(), 5)


class InheritedAddressTests(SynchronousTestCase):
    """What systemd has handed over."""

    def setUp(self) -> None:
        """Hand over a TCP socket."""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.socket.close)
        handed = ListenFDs([self.socket.fileno()], ["web"])
        self.patch(type(systemdEndpointParser), "_sddaemon", handed)

    def test_address(self) -> None:
        """It is found by its name or number, and left open."""
        for description in ("systemd:domain=INET:index=0", "systemd:INET:name=web"):
            self.assertEqual(inherited_address(description), self.socket.getsockname())
        os.fstat(self.socket.fileno())

    def test_not_there(self) -> None:
        """What was not handed over, or is another one, is a sentence."""
        for description in (
            "systemd",
            "systemd:INET",
            "systemd:INET:1",
            "systemd:INET:x",
            "systemd:domain=INET:name=other",
            "systemd:domain=BOGUS:index=0",
            "systemd:domain=UNIX:index=0",
            "systemd:domain=INET:index=0:name=web",
        ):
            self.assertRaises(ValueError, inherited_address, description)

    def test_not_listening(self) -> None:
        """A socket on which nobody listens is none to accept from."""
        with socket.socket() as idle:
            handed = ListenFDs([idle.fileno()], ["web"])
            self.patch(type(systemdEndpointParser), "_sddaemon", handed)
            self.assertRaises(ValueError, inherited_address, "systemd:domain=INET:index=0")
