"""Tests of `towerws.auth.pool`; the limits of an answer are tested in `tests.auth.test_backend`."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import connect, makeFakeClient, makeFakeServer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed

from tests.auth.memory_backend import MemoryBackend
from tests.certificates import make_server_certificate
from tests.network.tls_pair import TLS_WARNINGS
from towerws.auth.pool import CLOSE_TIMEOUT, IDLE_TIMEOUT, MAX_IDLE, Pool
from towerws.network.client_tls import load_authorities


class PoolTests(SynchronousTestCase):
    """Connections that are kept, and how they end."""

    def setUp(self) -> None:
        """Make a pool without TLS."""
        self.network = MemoryBackend()
        self.pool = Pool(self.network.reactor, "127.0.0.1", 80, None, 1000)

    def _get(self) -> Deferred[Any]:
        asked: Deferred[Any] = self.pool.agent.request(b"GET", b"http://127.0.0.1:80/")
        return asked

    def test_idle_limit(self) -> None:
        """After a burst, no more connections are kept than may be idle."""
        asked = [self._get() for _ in range(MAX_IDLE + 2)]
        connections = [self.network.accept() for _ in asked]
        for connection in connections:
            connection.answer(b"")
        self.assertEqual(sum(each.closing for each in connections), 2)

    def test_idle_timeout(self) -> None:
        """A connection that is not used is closed, in the end by force."""
        self.successResultOf(self._answered())
        self.network.reactor.advance(IDLE_TIMEOUT)
        self.assertTrue(self.connection.closing)
        self.assertFalse(self.connection.aborted)
        self.network.reactor.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.connection.aborted)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_closed_in_order(self) -> None:
        """A peer that closes too is not cut off."""
        self.successResultOf(self._answered())
        self.network.reactor.advance(IDLE_TIMEOUT)
        self.connection.close()
        self.network.reactor.advance(CLOSE_TIMEOUT)
        self.assertFalse(self.connection.aborted)

    def test_close(self) -> None:
        """Closing takes a bounded time, whatever the peers do."""
        self.successResultOf(self._answered())
        closing = self.pool.close()
        self.assertNoResult(closing)
        self.network.reactor.advance(CLOSE_TIMEOUT)
        self.successResultOf(closing)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_limit_is_of_an_answer(self) -> None:
        """A connection that is kept may bring any number of answers."""
        for _ in range(5):
            asked = self._get()
            if self.network.knocking:
                self.connection = self.network.accept()
            self.connection.answer(b"", 200, "X: " + "x" * 500)
            self.successResultOf(asked)

    def test_too_much(self) -> None:
        """What comes unasked on an idle connection ends it."""
        self.successResultOf(self._answered())
        self.connection.send(b"x")
        self.assertTrue(self.connection.closing)

    def test_quiet(self) -> None:
        """A connection is no event for the log."""
        with capturedLogs() as events:
            self.successResultOf(self._answered())
            self.connection.close()
        self.assertEqual(events, [])

    def _answered(self) -> Deferred[Any]:
        asked = self._get()
        self.connection = self.network.accept()
        self.connection.answer(b"")
        return asked


class _Greeting(Protocol):
    """A server that answers whatever comes, and never closes its side."""

    def dataReceived(self, data: bytes) -> None:
        """Answer."""
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


class TLSTests(SynchronousTestCase):
    """HTTPS."""

    suppress = TLS_WARNINGS

    def setUp(self) -> None:
        """Make a server's certificate."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.files = make_server_certificate(directory, "app.example")
        authorities = trustRootFromCertificates(load_authorities(self.files.cafile))
        self.context = CertificateOptions(trustRoot=authorities).getContext()

    def _ask(self, address: str) -> Deferred[Any]:
        """Make a request; shake hands in memory."""
        network = MemoryBackend()
        pool = Pool(network.reactor, address, 443, self.context, 1000)
        asked: Deferred[Any] = pool.agent.request(b"GET", f"https://{address}/".encode())
        files = (self.files.keyfile, self.files.certfile)
        pem = b"".join(Path(each).read_bytes() for each in files)
        server_options = PrivateCertificate.loadPEM(pem).options()
        clock = Clock()
        server = TLSMemoryBIOFactory(
            server_options, False, Factory.forProtocol(_Greeting), clock=clock
        ).buildProtocol(None)
        client = network.reactor.tcpClients[0][2].buildProtocol(None)
        pump = connect(server, makeFakeServer(server), client, makeFakeClient(client))
        for _ in range(4):
            pump.flush()
            clock.advance(0)
            network.reactor.advance(0)
        pump.flush()
        return asked

    def test_valid(self) -> None:
        """A certificate that is for the host is accepted."""
        self.assertEqual(self.successResultOf(self._ask("127.0.0.1")).code, 200)

    def test_other_host(self) -> None:
        """One for another host is not, and nothing is sent."""
        self.failureResultOf(self._ask("127.0.0.2"), ResponseFailed)
