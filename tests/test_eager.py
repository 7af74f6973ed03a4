"""`towerws.eager`: bytes leave at once, and never overtake each other."""

import random
import socket

from twisted.internet import tcp
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from towerws.eager import EagerServer, write_eagerly


class _Port:
    """What a connection asks of the port that accepted it."""

    _realPortNumber = 8051  # noqa: N815  # Twisted's name


class EagerServerTests(SynchronousTestCase):
    """One end of a real pair of sockets."""

    def setUp(self) -> None:
        """Connect."""
        self.reactor = MemoryReactorClock()
        ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.protocol = Protocol()
        self.transport = EagerServer(
            ours,
            self.protocol,
            ("127.0.0.1", 40_000),
            _Port(),  # type: ignore[arg-type]  # all that it asks for
            1,
            self.reactor,
        )
        self.addCleanup(ours.close)
        self.protocol.makeConnection(self.transport)

    def _read(self) -> bytes:
        received = b""
        try:
            while data := self.peer.recv(1 << 16):
                received += data
        except BlockingIOError:
            pass
        return received

    def test_at_once(self) -> None:
        """What the kernel takes is there before the reactor has turned."""
        self.transport.write(b"one")
        self.transport.write(b"two")
        self.assertEqual(self._read(), b"onetwo")
        self.assertEqual(self.reactor.writers, set())

    def test_order(self) -> None:
        """Whatever mixture of full kernels, reactor turns and reads: nothing changes places."""
        chance = random.Random(1)
        sent = received = b""
        for number in range(300):
            data = b"%d," % number + b"x" * chance.choice((1, 1000, 100_000))
            sent += data
            self.transport.write(data)
            if chance.random() < 0.5:
                received += self._read()
            if self.transport in self.reactor.writers and chance.random() < 0.7:
                self.assertIsNone(self.transport.doWrite())
        while self.transport in self.reactor.writers:
            self.assertIsNone(self.transport.doWrite())
            received += self._read()
        self.assertEqual(received + self._read(), sent)

    def test_backpressure(self) -> None:
        """A producer is paused when the kernel is full, as with any transport."""
        calls = []

        class Producer:
            """Takes note of what it is told."""

            def pauseProducing(self) -> None:
                calls.append("pause")

            def resumeProducing(self) -> None:
                calls.append("resume")

            def stopProducing(self) -> None:
                calls.append("stop")

        self.transport.registerProducer(Producer(), True)
        self.transport.write(b"x" * 10_000_000)
        self.assertEqual(calls, ["pause"])
        self.assertIn(self.transport, self.reactor.writers)

    def test_peer_is_gone(self) -> None:
        """A broken connection is found by the reactor, not by who writes."""
        self.peer.close()
        self.transport.write(b"one")
        self.transport.write(b"two")
        self.assertIn(self.transport, self.reactor.writers)
        self.assertIsInstance(self.transport.doWrite(), Exception)

    def test_closing(self) -> None:
        """After the connection was closed or dropped from here, nothing is written."""
        self.transport.write(b"last")
        self.transport.loseConnection()
        self.transport.write(b"late")
        self.assertEqual(self._read(), b"last")
        self.setUp()
        self.transport.abortConnection()
        self.transport.write(b"late")
        self.assertEqual(self._read(), b"")


class WriteEagerlyTests(SynchronousTestCase):
    """Which ports are concerned."""

    def test_tcp(self) -> None:
        """Connections of a TCP port."""
        port = tcp.Port(0, Factory(), interface="127.0.0.1", reactor=MemoryReactorClock())
        write_eagerly(port)
        self.assertIs(port.transport, EagerServer)

    def test_others(self) -> None:
        """Others keep what they have."""
        port = MemoryReactorClock().listenUNIX("/nowhere", Factory())
        write_eagerly(port)
        self.assertFalse(hasattr(port, "transport"))
