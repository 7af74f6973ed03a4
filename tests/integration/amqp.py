"""What the tests of the AMQP client with RabbitMQ have in common."""

from collections.abc import Callable
from typing import Any

import pika
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.integration.rabbitmq import RabbitMQNode, shared_node
from towerws.amqp.client import Client
from towerws.amqp.connect import connect
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError
from towerws.core.broker_url import BrokerURL

EXCHANGE = "towerws.test"

#: Longest wait for anything that a broker does, in seconds.
PATIENCE = 20.0


class BrokerTestCase(TestCase):
    """What the tests with a broker have in common.

    Attributes:
        node: The broker.
        url: Its URL.
        received: All deliveries so far.
    """

    timeout = 120
    node: RabbitMQNode
    url: BrokerURL

    def setUp(self) -> None:
        """Take note of deliveries, and whoever waits for them."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.received: list[Delivery] = []
        self._waiting: list[tuple[int, Deferred[list[Delivery]]]] = []

    def _take(self, deliveries: list[Delivery]) -> None:
        self.received += deliveries
        waiting, self._waiting = self._waiting, []
        for count, waiter in waiting:
            if len(self.received) >= count:
                waiter.callback(self.received)
            else:
                self._waiting.append((count, waiter))

    async def wait_for(self, count: int) -> list[Delivery]:
        """Wait until so many deliveries have come altogether."""
        if len(self.received) < count:
            waiter: Deferred[list[Delivery]] = Deferred()
            self._waiting.append((count, waiter))
            await waiter.addTimeout(PATIENCE, self.reactor)
        return self.received

    async def connect(self, url: BrokerURL | None = None, **options: Any) -> Client:
        """Connect, until the end of the test at most."""
        url = url or self.url
        client = await connect(
            url, url.hosts[0], reactor=self.reactor, on_deliveries=self._take, **options
        )
        self.addCleanup(client.close, within=1)
        return client

    async def consume(self, **options: Any) -> tuple[Client, str]:
        """Connect and consume all that is published to the exchange; return the queue as well."""
        client = await self.connect(**options)
        channel: Any = await client.open_channel(1)
        await channel.exchange_declare(exchange=EXCHANGE, type="topic", durable=True)
        declared = await channel.queue_declare(queue="", exclusive=True, auto_delete=True)
        await channel.basic_qos(prefetch_count=500)
        await channel.queue_bind(queue=declared.queue, exchange=EXCHANGE, routing_key="#")
        await channel.basic_consume(queue=declared.queue, consumer_tag="test", no_ack=False)
        return client, declared.queue

    async def with_pika(self, act: Callable[[Any], Any]) -> Any:
        """Run a function in a thread with a pika channel of its own."""

        def run() -> Any:
            connection = pika.BlockingConnection(pika.URLParameters(self.node.url))
            try:
                return act(connection.channel())
            finally:
                connection.close()

        return await deferToThread(run)

    async def publish(self, *bodies: bytes, **properties: Any) -> None:
        """Publish with pika."""

        def run(channel: Any) -> None:
            for body in bodies:
                channel.basic_publish(
                    EXCHANGE, "jobs-summary", body, pika.BasicProperties(**properties)
                )

        await self.with_pika(run)

    async def lost(self, client: Client) -> AMQPError:
        """Wait for the end of a connection."""
        return await client.when_lost().addTimeout(PATIENCE, self.reactor)


class SharedBrokerTestCase(BrokerTestCase):
    """Tests that leave the broker as it was."""

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        """Start the shared broker if need be."""
        super().setUp()
        return deferToThread(self._start)

    def _start(self) -> None:
        self.node = shared_node()
        self.url = BrokerURL.parse(self.node.url)
