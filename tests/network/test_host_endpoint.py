"""Tests of `towerws.network.host_endpoint`, with a reactor and a resolver in memory."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from towerws.network.host_endpoint import ATTEMPT_DELAY, HostEndpoint


class _Resolver:
    """A resolver that answers when the test says so.

    Attributes:
        asked: The names that were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolveHostName(  # noqa: N802 - IHostnameResolver
        self,
        receiver: Any,
        name: str,
        *,
        portNumber: int,  # noqa: N803
        transportSemantics: str,  # noqa: N803
    ) -> None:
        self.asked.append(name)
        self._receiver = receiver
        self._port = portNumber

    def answer(self, *hosts: str) -> None:
        """Tell addresses."""
        self._receiver.resolutionBegan(object())
        for host in hosts:
            kind: Any = IPv6Address if ":" in host else IPv4Address
            self._receiver.addressResolved(kind("TCP", host, self._port))
        self._receiver.resolutionComplete()


class HostEndpointTests(SynchronousTestCase):
    """From a name to a connection."""

    def setUp(self) -> None:
        """Begin to connect."""
        self.resolver = _Resolver()
        reactor: Any = MemoryReactorClock()
        reactor.nameResolver = self.resolver
        self.reactor = reactor
        self.connecting = self._connect("rabbit_1")

    def _connect(self, host: str) -> Deferred[Any]:
        endpoint = HostEndpoint(self.reactor, host, 5672, 20)
        return endpoint.connect(Factory.forProtocol(Protocol))

    def _tried(self) -> list[tuple[str, int]]:
        return [client[:2] for client in self.reactor.tcpClients]

    def _accept(self, number: int) -> Protocol:
        """Let an attempt succeed."""
        factory = self.reactor.tcpClients[number][2]
        protocol: Protocol = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        return protocol

    def _refuse(self, number: int) -> None:
        """Let an attempt fail."""
        self.reactor.tcpClients[number][2].clientConnectionFailed(
            self.reactor.connectors[number], Failure(ConnectError())
        )

    def _assert_nothing_left(self) -> None:
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_names(self) -> None:
        """The system is asked for whatever the host is called, and connected to what it says."""
        for name in ("-rabbit", "rabbit-1.example", "xn--hs-1ja", "127.0.0.1", "::1"):
            self._connect(name)
        self.assertEqual(
            self.resolver.asked,
            ["rabbit_1", "-rabbit", "rabbit-1.example", "xn--hs-1ja", "127.0.0.1", "::1"],
        )

    def test_connected(self) -> None:
        """The protocol is the result."""
        self.resolver.answer("10.0.0.1")
        self.assertEqual(self._tried(), [("10.0.0.1", 5672)])
        self._accept(0)
        self.assertIsInstance(self.successResultOf(self.connecting), Protocol)
        self._assert_nothing_left()

    def test_unknown(self) -> None:
        """A name without an address is an error."""
        self.resolver.answer()
        self.failureResultOf(self.connecting, DNSLookupError)

    def test_second_address(self) -> None:
        """An address that does not answer is not waited for; the first that does is taken."""
        self.resolver.answer("2001:db8::1", "10.0.0.1")
        self.assertEqual(self._tried(), [("2001:db8::1", 5672)])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self._tried()[1:], [("10.0.0.1", 5672)])
        self._accept(1)
        self.successResultOf(self.connecting)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self._assert_nothing_left()

    def test_first_address(self) -> None:
        """The others are not tried when the first one answers in time."""
        self.resolver.answer("10.0.0.1", "10.0.0.2")
        self._accept(0)
        self.successResultOf(self.connecting)
        self._assert_nothing_left()

    def test_refused(self) -> None:
        """When all have refused, the last refusal is told."""
        self.resolver.answer("10.0.0.1", "10.0.0.2")
        self._refuse(0)
        self.assertNoResult(self.connecting)
        self.reactor.advance(ATTEMPT_DELAY)
        self._refuse(1)
        self.failureResultOf(self.connecting, ConnectError)
        self._assert_nothing_left()

    def test_cancelled(self) -> None:
        """Whoever cancels leaves nothing behind, at whatever stage."""
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.resolver.answer("10.0.0.1")
        self.assertEqual(self._tried(), [])
        connecting = self._connect("rabbit_1")
        self.resolver.answer("10.0.0.1", "10.0.0.2")
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError, ConnectingCancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self._assert_nothing_left()
