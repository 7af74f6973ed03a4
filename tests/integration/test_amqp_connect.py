"""Connections to RabbitMQ: how they come about, and what ends them."""

import atexit
import os
import time
from dataclasses import replace
from functools import cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from tests.amqp.test_tls import TLS_WARNINGS
from tests.integration.amqp import EXCHANGE, PATIENCE, BrokerTestCase, SharedBrokerTestCase
from tests.integration.loopback import free_ports
from tests.integration.rabbitmq import RabbitMQNode
from towerws.amqp.errors import (
    AuthenticationFailed,
    ConnectFailed,
    ConnectionClosed,
    ConnectionLost,
    HandshakeTimeout,
    ProtocolViolation,
    PublishBlocked,
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


@cache
def _own_node() -> RabbitMQNode:
    """Start a broker for the tests that change or kill it; it ends with this process."""
    node = RabbitMQNode(tls=True)
    owner = os.getpid()
    # A child made by os.fork inherits the registration, but not the node.
    atexit.register(lambda: node.stop() if os.getpid() == owner else None)
    node.start()
    return node


class OperatorTests(BrokerTestCase):
    """What operators and accidents do to a broker; one of its own, therefore, with TLS."""

    suppress = TLS_WARNINGS

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        """Start this broker if need be."""
        super().setUp()
        return deferToThread(self._start)

    def _start(self) -> None:
        self.node = _own_node()
        self.url = BrokerURL.parse(self.node.url)

    def _tls_url(self, host: str = "localhost", **options: Any) -> BrokerURL:
        return BrokerURL(
            hosts=((host, self.node.tls_port or 0),),
            tls=True,
            cacertfile=self.node.cafile,
            **options,
        )

    async def test_tls(self) -> None:
        """Trap 28: messages go over TLS, to a broker whose certificate is valid."""
        client, _ = await self.consume(url=self._tls_url())
        await self.publish(b"x" * 300_000)
        (delivery,) = await self.wait_for(1)
        self.assertEqual(delivery.size, 300_000)
        await client.close(within=5)

    async def test_tls_of_strangers(self) -> None:
        """Trap 28: a certificate of an unknown authority is refused, unless we want no proof."""
        url = replace(self._tls_url(), cacertfile=None)
        error = await self.assertFailure(Deferred.fromCoroutine(self.connect(url)), ConnectionLost)
        self.assertIn("certificate verify failed", str(error))
        await self.connect(self._tls_url("127.0.0.1", verify="verify_none"))

    async def test_wrong_protocol(self) -> None:
        """Plain AMQP to the TLS port, and the reverse, fail at once and say so."""
        plain = replace(self.url, hosts=self._tls_url().hosts)
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.connect(plain)), ProtocolViolation
        )
        self.assertIn("amqps://", str(error))
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.connect(replace(self._tls_url(), hosts=self.url.hosts))),
            ConnectionLost,
        )
        self.assertIn("TLS failed", str(error))

    async def test_memory_alarm(self) -> None:
        """Trap 26: publishes are refused at once while the broker is short of memory."""
        changes: list[Deferred[tuple[bool, str]]] = [Deferred(), Deferred()]
        coming = iter(changes)
        client, _ = await self.consume(on_blocked=lambda *change: next(coming).callback(change))
        channel: Any = await client.open_channel(2)
        await channel.confirm_select()
        self.addCleanup(
            deferToThread, self.node.ctl, "set_vm_memory_high_watermark", "absolute", "512MB"
        )
        await deferToThread(self.node.ctl, "set_vm_memory_high_watermark", "0.0000001")
        held = client.publish(2, EXCHANGE, "jobs-summary", b"{}", {})
        blocked, reason = await changes[0].addTimeout(PATIENCE, self.reactor)
        self.assertEqual((blocked, client.blocked), (True, reason))
        self.assertIn("memory", reason)
        await self.assertFailure(held, PublishBlocked)
        await self.assertFailure(
            client.publish(2, EXCHANGE, "jobs-summary", b"{}", {}), PublishBlocked
        )
        await deferToThread(self.node.ctl, "set_vm_memory_high_watermark", "absolute", "512MB")
        self.assertEqual(await changes[1].addTimeout(PATIENCE, self.reactor), (False, ""))
        # The one that was given up was sent, and arrives; its confirmation disturbs nobody.
        await client.publish(2, EXCHANGE, "jobs-summary", b"{}", {}).addTimeout(
            PATIENCE, self.reactor
        )
        await self.wait_for(2)
        self.assertIsNone(client.lost)

    async def test_closed_by_an_operator(self) -> None:
        """An operator's words are the reason, and an open request fails with it."""
        client, _ = await self.consume()
        await deferToThread(self.node.ctl, "close_all_connections", "maintenance")
        reason = await self.lost(client)
        assert isinstance(reason, ConnectionClosed)
        self.assertEqual(reason.code, 320)
        self.assertIn("maintenance", str(reason))

    async def test_killed(self) -> None:
        """A broker that dies is noticed at once."""
        client, _ = await self.consume()
        began = time.monotonic()
        lost = self.lost(client)
        await deferToThread(self.node.kill)
        self.addCleanup(deferToThread, self.node.start)
        self.assertIsInstance(await lost, ConnectionLost)
        self.assertLess(time.monotonic() - began, 5.0)
