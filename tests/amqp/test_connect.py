"""Tests of `towerws.amqp.connect`, in memory; with a real broker in tests/integration."""

from dataclasses import replace
from typing import Any

from pika import spec
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.amqp.broker import URL, MemoryTransport, ScriptedBroker
from towerws.amqp.client import Client
from towerws.amqp.connect import connect
from towerws.amqp.errors import (
    AuthenticationFailed,
    ConnectFailed,
    ConnectionLost,
    HandshakeTimeout,
)

HOST = ("broker.example", 5672)


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """An endpoint that connects when the test says so.

    Attributes:
        cancelled: Whether the attempt was given up.
    """

    def __init__(self, clock: Clock) -> None:
        self.cancelled = False
        self._clock = clock
        self._connecting: Deferred[Any] = Deferred(self._cancel)
        self._factory: IProtocolFactory | None = None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:  # noqa: N803
        """Begin to connect."""
        self._factory = protocolFactory
        return self._connecting

    def succeed(self) -> ScriptedBroker:
        """Be connected, to a broker that the test plays."""
        assert self._factory is not None
        client = self._factory.buildProtocol(IPv4Address("TCP", *HOST))
        assert isinstance(client, Client)
        broker = ScriptedBroker()
        broker.clock, broker.client = self._clock, client
        broker.transport = MemoryTransport(self._clock)
        broker.transport.protocol = client
        broker.connect()
        self._connecting.callback(client)
        return broker

    def _cancel(self, connecting: Deferred[Any]) -> None:
        # What Twisted's TCP endpoints do, unlike most of what can be cancelled.
        self.cancelled = True
        connecting.errback(ConnectingCancelledError(None))


class ConnectTests(SynchronousTestCase):
    """From a URL to a client that can be used."""

    def setUp(self) -> None:
        """Begin to connect."""
        self.clock = Clock()
        self.endpoint = MemoryEndpoint(self.clock)
        self.connecting = connect(
            URL,
            HOST,
            reactor=self.clock,
            endpoint=self.endpoint,
            on_deliveries=lambda _: None,
        )

    def _assert_nothing_left(self) -> None:
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_success(self) -> None:
        """The client comes when the vhost is open; no timer of the handshake is left."""
        broker = self.endpoint.succeed()
        broker.start()
        broker.tune(heartbeat=0)
        self.assertNoResult(self.connecting)
        broker.send(spec.Connection.OpenOk())
        self.assertIs(self.successResultOf(self.connecting), broker.client)
        broker.client.abort("end of the test")
        self._assert_nothing_left()

    def test_own_clock(self) -> None:
        """The clock may be another than the reactor."""
        clock = Clock()
        connecting = connect(
            URL,
            HOST,
            reactor=object(),
            clock=clock,
            endpoint=MemoryEndpoint(clock),
            on_deliveries=lambda _: None,
        )
        clock.advance(URL.connection_timeout)
        self.failureResultOf(connecting, HandshakeTimeout)

    def test_deadline_of_tcp(self) -> None:
        """A host that does not answer is given up in time."""
        self.clock.advance(URL.connection_timeout - 1)
        self.assertNoResult(self.connecting)
        self.clock.advance(1)
        self.failureResultOf(self.connecting, HandshakeTimeout)
        self.assertTrue(self.endpoint.cancelled)
        self._assert_nothing_left()

    def test_deadline_of_the_handshake(self) -> None:
        """Trap 28: a peer that connects and then says nothing is given up in time as well."""
        self.clock.advance(URL.connection_timeout - 1)
        broker = self.endpoint.succeed()
        broker.start()
        self.clock.advance(1)
        text = str(self.failureResultOf(self.connecting, HandshakeTimeout).value)
        self.assertIn("within 10 s", text)
        self.assertTrue(broker.transport.aborted)
        self._assert_nothing_left()

    def test_cancelled_while_connecting(self) -> None:
        """Whoever cancels gets a ``CancelledError``, whatever the endpoint makes of it."""
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.assertTrue(self.endpoint.cancelled)
        self._assert_nothing_left()

    def test_cancelled_in_the_handshake(self) -> None:
        """A transport that exists already is dropped."""
        broker = self.endpoint.succeed()
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self.assertTrue(broker.transport.aborted)
        self._assert_nothing_left()

    def test_wrong_password(self) -> None:
        """Trap 20: the broker's refusal is the result, at once."""
        broker = self.endpoint.succeed()
        broker.start()
        broker.send(spec.Connection.Close(403, "ACCESS_REFUSED", 0, 0))
        self.failureResultOf(self.connecting, AuthenticationFailed)
        self._assert_nothing_left()

    def test_lost_in_the_handshake(self) -> None:
        """A transport that closes is the result, at once."""
        broker = self.endpoint.succeed()
        broker.transport.loseConnection()
        self.clock.advance(0)
        self.failureResultOf(self.connecting, ConnectionLost)
        self._assert_nothing_left()

    def test_no_connection(self) -> None:
        """Whatever keeps a connection from coming about, the error is ours and names the host."""
        for error in (
            ConnectError("nobody listens"),
            DNSLookupError("no such host"),
            OSError(24, "Too many open files"),
            ValueError("no name"),
            UnicodeEncodeError("idna", "x", 0, 1, "label too long"),
        ):
            endpoint = MemoryEndpoint(self.clock)
            endpoint._connecting = fail(error)
            connecting = connect(
                URL, HOST, reactor=self.clock, endpoint=endpoint, on_deliveries=lambda _: None
            )
            text = str(self.failureResultOf(connecting, ConnectFailed).value)
            self.assertIn("no connection to broker.example port 5672: ", text)
            self.assertFalse(text.endswith("."), text)
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)

    def test_bad_name_with_tls(self) -> None:
        """A name that no certificate can be for is an error like the others."""
        url = replace(URL, tls=True)
        for name in ("a b", "", "h\xf8st"):
            connecting = connect(
                url, (name, 5671), reactor=self.clock, on_deliveries=lambda _: None
            )
            self.failureResultOf(connecting, ConnectFailed)
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)

    def test_unusable_tls_file(self) -> None:
        """A TLS file that is missing is the result, without any attempt to connect."""
        url = replace(URL, tls=True, cacertfile="/nowhere/ca.pem")
        connecting = connect(url, HOST, reactor=self.clock, on_deliveries=lambda _: None)
        self.failureResultOf(connecting, ConnectFailed)
        self.connecting.cancel()
        self.failureResultOf(self.connecting, CancelledError)
        self._assert_nothing_left()
