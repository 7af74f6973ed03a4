"""The AMQP client with a RabbitMQ that operators stop, and with one that speaks TLS."""

import time
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.integration.amqp import EXCHANGE, PATIENCE, BrokerTestCase
from tests.integration.rabbitmq import shared_node
from tests.network.tls_pair import TLS_WARNINGS
from towerws.amqp.errors import ConnectionClosed, ConnectionLost, ProtocolViolation, PublishBlocked
from towerws.core.broker_url import BrokerURL


class OperatorTests(BrokerTestCase):
    """What operators and accidents do to a broker."""

    suppress = TLS_WARNINGS

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        """Start this broker if need be."""
        super().setUp()
        return deferToThread(self._start)

    def _start(self) -> None:
        self.node = shared_node(breakable=True)
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
