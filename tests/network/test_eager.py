"""`towerws.network.eager`: bytes leave at once, and never overtake each other."""

import gc
import random
import select
import socket
import ssl
import weakref
from pathlib import Path

from twisted.internet import tcp, unix
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import make_server_certificate
from towerws.network.eager import EagerServer, EagerUNIXServer, write_eagerly


class _Port:
    """What a connection asks of the port that accepted it."""

    _realPortNumber = 8051  # noqa: N815  # Twisted's name


class EagerServerTests(SynchronousTestCase):
    """One end of a real pair of sockets."""

    server: type[EagerServer | EagerUNIXServer] = EagerServer

    def setUp(self) -> None:
        """Connect."""
        self.reactor = MemoryReactorClock()
        ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.protocol = Protocol()
        self.transport = self.server(
            ours,
            self.protocol,
            ("127.0.0.1", 40_000),
            _Port(),
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
        sent, received = bytearray(), bytearray()
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

    def test_backpressure_from_the_first_byte(self) -> None:
        """Also when little is left: what comes next, a large event perhaps, is not to be copied."""
        producer = StringTransport()  # has the methods of a producer, and tells what was called
        self.transport.registerProducer(producer, True)
        while not self.transport.dataBuffer:
            self.assertEqual(producer.producerState, "producing")
            self.transport.write(b"x" * 1000)
        self.assertEqual(producer.producerState, "paused")
        self._read()
        self.assertIsNone(self.transport.doWrite())
        self.assertEqual(producer.producerState, "producing")

    def test_peer_is_gone(self) -> None:
        """A broken connection is found by the reactor, not by who writes."""
        self.peer.close()
        self.transport.write(b"one")
        self.transport.write(b"two")
        self.assertIn(self.transport, self.reactor.writers)
        self.assertIsInstance(self.transport.doWrite(), Exception)

    def test_closing(self) -> None:
        """What is written behind loseConnection still goes out, as with any transport."""
        self.transport.write(b"last")
        self.transport.loseConnection()
        self.transport.write(b"late")
        self.assertEqual(self._read(), b"lastlate")
        self.assertIs(self.transport.doWrite(), CONNECTION_DONE)

    def test_start_tls(self) -> None:
        """A change to TLS is refused, since what is written would go out as it is."""
        self.assertRaises(RuntimeError, self.transport.startTLS, object())

    def test_lost(self) -> None:
        """After the connection is gone nothing is written, and nothing is raised."""
        self.transport.connectionLost(Failure(CONNECTION_DONE))
        self.transport.write(b"late")
        self.assertEqual(self._read(), b"")

    def test_large_data_is_not_copied(self) -> None:
        """What many readers have not taken is one object in memory, until the kernel takes it."""
        data = b"x" * 10_000_000
        self.transport.write(data)
        self.assertIs(self.transport.dataBuffer, data)
        received = bytearray(self._read())
        while self.transport in self.reactor.writers:
            self.assertIsNone(self.transport.doWrite())
            received += self._read()
        self.assertEqual(received, data)


class EagerUNIXServerTests(EagerServerTests):
    """The same for the transport of Unix sockets."""

    server = EagerUNIXServer


class TLSTests(SynchronousTestCase):
    """TLS on top of it, with the standard library's client."""

    def setUp(self) -> None:
        """Connect, and shake hands."""
        directory = Path(self.mktemp())
        directory.mkdir()
        certificate = make_server_certificate(directory)
        self.protocol = Protocol()
        factory = TLSMemoryBIOFactory(
            DefaultOpenSSLContextFactory(certificate.keyfile, certificate.certfile),
            False,
            Factory.forProtocol(lambda: self.protocol),
            MemoryReactorClock(),
        )
        port = tcp.Port(0, factory, reactor=MemoryReactorClock())
        write_eagerly(port)
        self.assertIs(port.transport, EagerServer)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        below = factory.buildProtocol(None)
        self.transport = EagerServer(
            ours,
            below,
            ("127.0.0.1", 40_000),
            _Port(),
            1,
            MemoryReactorClock(),
        )
        below.makeConnection(self.transport)
        context = ssl.create_default_context(cafile=certificate.cafile)
        self.client = context.wrap_socket(
            theirs, server_hostname="localhost", do_handshake_on_connect=False
        )
        self.client.setblocking(False)
        self.addCleanup(self.client.close)
        self.addCleanup(ours.close)
        while not self._shaken():
            if select.select([ours], [], [], 0)[0]:
                self.transport.doRead()
        self.transport.doRead()

    def _shaken(self) -> bool:
        try:
            self.client.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def test_at_once(self) -> None:
        """A write is with the client before the reactor has turned."""
        for data in (b"one", b"two"):
            self.protocol.transport.write(data)
            self.assertEqual(self.client.recv(100), data)

    def test_order(self) -> None:
        """What the kernel does not take at once comes behind it, and nothing is lost."""
        sent = received = b""
        for number in range(100):
            data = b"%d," % number * (number * 200)
            sent += data
            self.protocol.transport.write(data)
        while len(received) < len(sent):
            if self.transport.dataBuffer or self.transport._tempDataLen:
                self.assertIsNone(self.transport.doWrite())
            received += self.client.recv(1 << 16)
        self.assertEqual(received, sent)

    def test_no_cycles(self) -> None:
        """Who leaves without saying so in TLS leaves nothing for the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        ended = weakref.ref(self.protocol.transport)
        self.client.shutdown(socket.SHUT_RDWR)
        self.transport.connectionLost(Failure(ConnectionDone()))
        del self.transport, self.protocol
        self.assertIsNone(ended())


class WriteEagerlyTests(SynchronousTestCase):
    """Which ports are concerned."""

    def test_tcp(self) -> None:
        """Connections of a TCP port."""
        port = tcp.Port(0, Factory(), interface="127.0.0.1", reactor=MemoryReactorClock())
        write_eagerly(port)
        self.assertIs(port.transport, EagerServer)

    def test_unix(self) -> None:
        """Connections of a Unix socket."""
        port = unix.Port(b"/nowhere", Factory(), reactor=MemoryReactorClock())
        write_eagerly(port)
        self.assertIs(port.transport, EagerUNIXServer)

    def test_others(self) -> None:
        """Others keep what they have."""
        port = MemoryReactorClock().listenUNIX("/nowhere", Factory())
        write_eagerly(port)
        self.assertFalse(hasattr(port, "transport"))
