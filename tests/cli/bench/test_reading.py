"""Reading from many sockets, with real ones."""

import socket
from typing import Any

from twisted.internet.interfaces import ISystemHandle
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from towerws.cli.bench import reading
from towerws.cli.bench.reading import DirectReading


@implementer(ISystemHandle)
class SocketTransport(StringTransport):
    """A transport that has a socket, or what TLS has instead."""

    def __init__(self, handle: object) -> None:
        super().__init__()
        self.handle = handle

    def getHandle(self) -> object:  # noqa: N802
        """Give it."""
        return self.handle


class Hearer(Protocol):
    """Keeps what it is given.

    Attributes:
        heard: Read by read.
    """

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.heard.append(data)


class DirectReadingTests(SynchronousTestCase):
    """`DirectReading` reads for protocols, and leaves the rest to their transports."""

    def setUp(self) -> None:
        """Read from nothing yet."""
        self.reactor = MemoryReactor()
        self.reading = DirectReading(self.reactor)
        self.addCleanup(self.reading.stop)

    def adopt(self) -> tuple[Hearer, socket.socket]:
        """Read for a protocol; give it and the other end."""
        ours, theirs = socket.socketpair()
        for end in ours, theirs:
            end.setblocking(False)
            self.addCleanup(end.close)
        hearer = Hearer()
        hearer.makeConnection(SocketTransport(ours))
        self.reading.adopt(hearer)
        return hearer, theirs

    def state(self, hearer: Hearer) -> Any:
        """Say whether the transport itself reads."""
        transport = hearer.transport
        assert isinstance(transport, StringTransport)
        return transport.producerState

    def test_registered(self) -> None:
        """The reactor watches one descriptor for all, until it is stopped."""
        self.assertEqual(self.reactor.getReaders(), [self.reading])
        self.assertGreater(self.reading.fileno(), 0)
        self.assertEqual(self.reading.logPrefix(), "DirectReading")
        self.reading.stop()
        self.reading.connectionLost(Failure(Exception()))
        self.assertEqual(self.reactor.getReaders(), [])

    def test_data(self) -> None:
        """What comes goes to the protocol that it is for; the transport does not read."""
        (first, one), (second, two) = self.adopt(), self.adopt()
        self.assertEqual(self.state(first), "paused")
        one.send(b"a")
        self.reading.doRead()
        two.send(b"b")
        one.send(b"c")
        self.reading.doRead()
        self.reading.doRead()
        self.assertEqual((first.heard, second.heard), ([b"a", b"c"], [b"b"]))

    def test_bounds(self) -> None:
        """A turn reads so many sockets, each once, so many bytes; the rest is for the next one."""
        self.patch(reading, "_MAX_READS", 2)
        self.patch(reading, "READ_SIZE", 2)
        pairs = [self.adopt() for _ in range(3)]
        for _, end in pairs:
            end.send(b"abc")
        reads = []
        for _ in range(4):
            self.reading.doRead()
            reads.append(sum(len(hearer.heard) for hearer, _ in pairs))
        self.assertEqual(reads[0], 2)
        self.assertEqual(reads[-1], 6)

    def test_end(self) -> None:
        """The end of a connection is the transport's to find."""
        hearer, end = self.adopt()
        end.send(b"a")
        end.close()
        self.reading.doRead()
        self.assertEqual(self.state(hearer), "paused")
        self.reading.doRead()
        self.assertEqual((hearer.heard, self.state(hearer)), ([b"a"], "producing"))
        self.reading.doRead()

    def test_error(self) -> None:
        """So is an error; a socket on which nothing has come after all is none."""
        hearer, end = self.adopt()
        end.send(b"a")
        for error, state in (BlockingIOError, "paused"), (ConnectionResetError, "producing"):
            (number,) = self.reading._protocols

            def receive(_size: int, error: type[Exception] = error) -> bytes:
                raise error

            self.reading._protocols[number] = hearer, receive
            self.reading.doRead()
            self.assertEqual(self.state(hearer), state)

    def test_closed_by_its_transport(self) -> None:
        """Its number may be the next one's."""
        hearer, _end = self.adopt()
        transport = hearer.transport
        assert isinstance(transport, SocketTransport)
        assert isinstance(transport.handle, socket.socket)
        transport.handle.close()
        self.reading.doRead()
        second, end = self.adopt()
        end.send(b"a")
        self.reading.doRead()
        self.assertEqual((hearer.heard, second.heard), ([], [b"a"]))

    def test_tls(self) -> None:
        """Where reading is more than a socket's, it stays with the transport."""
        for transport in SocketTransport(object()), StringTransport():
            hearer = Hearer()
            hearer.makeConnection(transport)
            self.reading.adopt(hearer)
            self.assertEqual(self.state(hearer), "producing")
