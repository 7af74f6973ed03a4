"""Connections to RabbitMQ: how they come about, and what ends them."""

import time
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from tests.integration.amqp import SharedBrokerTestCase
from tests.integration.loopback import free_ports
from towerws.amqp.errors import (
    AuthenticationFailed,
    ConnectFailed,
    ConnectionClosed,
    HandshakeTimeout,
    ProtocolViolation,
)
from towerws.core.broker_url import BrokerURL


class _Peer(Protocol):
    """A server that is no broker: says one thing to whoever connects."""

    greeting = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.greeting)


class ConnectTests(SharedBrokerTestCase):
    """Connecting, or not."""

    async def test_negotiation(self) -> None:
        """Trap 23: the broker sees the heartbeat and the name that we want."""
        client = await self.connect(replace(self.url, heartbeat=7), connection_name="node 1 ä")
        self.assertEqual((client.heartbeat, client.frame_max), (7, 131072))
        self.assertEqual(client.server_properties["product"], "RabbitMQ")
        listed = await deferToThread(
            self.node.ctl, "list_connections", "timeout", "client_properties"
        )
        (line,) = [line for line in listed.splitlines() if "node 1" in line]
        self.assertTrue(line.startswith("7\t"), line)
        self.assertIn("towerws", line)

    async def test_wrong_password(self) -> None:
        """Trap 20: the refusal comes at once and in the broker's words."""
        url = replace(self.url, password="wr\u00f6ng")
        began = time.monotonic()
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.connect(url)), AuthenticationFailed
        )
        self.assertLess(time.monotonic() - began, 2.0)
        self.assertIn("ACCESS_REFUSED", str(error))
        self.assertNotIn("wr\u00f6ng", str(error))

    async def test_wrong_vhost(self) -> None:
        """A vhost that does not exist is named."""
        url = replace(self.url, vhost="nowhere ä")
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.connect(url)), ConnectionClosed
        )
        self.assertIn("vhost nowhere", str(error))

    async def test_nobody_listens(self) -> None:
        """A port that is closed is named."""
        (port,) = free_ports(1)
        url = replace(self.url, hosts=(("localhost", port),))
        error = await self.assertFailure(Deferred.fromCoroutine(self.connect(url)), ConnectFailed)
        self.assertIn(f"localhost port {port}", str(error))

    async def _serve(self, greeting: bytes) -> BrokerURL:
        class Peer(_Peer):
            """One that says what this test wants."""

        Peer.greeting = greeting
        port = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(
            Factory.forProtocol(Peer)
        )
        self.addCleanup(port.stopListening)
        return replace(self.url, hosts=(("127.0.0.1", port.getHost().port),), connection_timeout=1)

    async def test_silent_peer(self) -> None:
        """A peer that accepts connections and says nothing is given up in time."""
        url = await self._serve(b"")
        await self.assertFailure(Deferred.fromCoroutine(self.connect(url)), HandshakeTimeout)

    async def test_other_peers(self) -> None:
        """A peer that speaks something else is told from a broker at once."""
        for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x01\x00\x00"):
            url = await self._serve(greeting)
            await self.assertFailure(Deferred.fromCoroutine(self.connect(url)), ProtocolViolation)
