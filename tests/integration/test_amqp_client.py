"""The AMQP client against RabbitMQ, with pika as the foreign publisher."""

import datetime
from decimal import Decimal
from typing import Any

import pika

from tests.integration.amqp import EXCHANGE, PATIENCE, SharedBrokerTestCase
from towerws.amqp.errors import ChannelClosed, ConsumerCancelled

#: A header of every type that pika can write, and what it is here.
_HEADERS: dict[str, tuple[Any, Any]] = {
    "none": (None, None),
    "text": ("é€", "é€"),
    "bytes": (b"\x00\xff", b"\x00\xff"),
    "true": (True, True),
    "small": (-5, -5),
    "large": (2**40, 2**40),
    "negative": (-(2**40), -(2**40)),
    "decimal": (Decimal("1.25"), Decimal("1.25")),
    "time": (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), 1767312000),
    "list": ([1, "a", None, [2]], [1, "a", None, [2]]),
    "table": ({"a": {"b": [True]}}, {"a": {"b": [True]}}),
}


class ConsumeTests(SharedBrokerTestCase):
    """Messages of foreign publishers."""

    async def test_bodies(self) -> None:
        """Traps 1 to 3: text, nothing, no text, and 5 MB in many frames, come byte for byte."""
        bodies = [
            '{"name":"é€😀"}'.encode(),
            b"",
            bytes(range(256)),
            "é".encode() * 2_500_000,
            b"{}",
        ]
        client, _ = await self.consume()
        await self.publish(*bodies)
        deliveries = await self.wait_for(len(bodies))
        self.assertEqual(
            [each.body == body for each, body in zip(deliveries, bodies, strict=True)], [True] * 5
        )
        self.assertEqual({each.routing_key for each in deliveries}, {"jobs-summary"})
        client.ack(1, deliveries[-1].delivery_tag, multiple=True)
        await client.close(within=5)
        self.assertEqual(str(client.lost), "this side closed the connection")

    async def test_headers(self) -> None:
        """Traps 6 and 7: headers of every type that pika writes."""
        await self.consume()
        await self.publish(
            b"{}",
            headers={name: sent for name, (sent, _) in _HEADERS.items()},
            content_type="application/json",
            timestamp=5,
            priority=3,
        )
        (delivery,) = await self.wait_for(1)
        self.assertEqual(
            delivery.headers(), {name: received for name, (_, received) in _HEADERS.items()}
        )
        properties = delivery.properties()
        self.assertEqual(properties["content_type"], "application/json")
        self.assertEqual((properties["timestamp"], properties["priority"]), (5, 3))

    async def test_dead_lettered(self) -> None:
        """Trap 6: a message that died elsewhere brings the broker's account of it."""

        def expire(channel: Any) -> None:
            channel.queue_declare(
                "dying", auto_delete=True, arguments={"x-dead-letter-exchange": EXCHANGE}
            )
            channel.basic_publish("", "dying", b"{}", pika.BasicProperties(expiration="0"))

        await self.consume()
        await self.with_pika(expire)
        (delivery,) = await self.wait_for(1)
        (death,) = delivery.headers()["x-death"]
        self.assertEqual((death["queue"], death["reason"]), ("dying", "expired"))

    async def test_oversized(self) -> None:
        """Trap 24: a message over the limit is told, and the next one comes as ever."""
        client, _ = await self.consume(max_body=1000)
        await self.publish(b"x" * 1001, b"x" * 300_000, b"{}")
        deliveries = await self.wait_for(3)
        self.assertEqual([each.body for each in deliveries], [None, None, b"{}"])
        self.assertEqual([each.size for each in deliveries], [1001, 300_000, 2])
        self.assertIsNone(client.lost)

    async def test_queue_deleted(self) -> None:
        """Trap 14: a queue that is deleted under us ends the connection with a reason."""
        client = await self.connect()
        channel: Any = await client.open_channel(1)
        await channel.queue_declare(queue="doomed")
        await channel.basic_consume(queue="doomed", consumer_tag="test")
        await self.with_pika(lambda theirs: theirs.queue_delete("doomed"))
        self.assertIsInstance(await self.lost(client), ConsumerCancelled)

    async def test_channel_errors(self) -> None:
        """Trap 13: what the broker refuses fails the request, with the broker's words."""
        for request, code in (
            (lambda channel: channel.basic_consume(queue="nowhere"), 404),
            (lambda channel: channel.exchange_declare(exchange="amq.topic", type="fanout"), 406),
            (lambda channel: channel.exchange_declare(exchange="amq.mine", type="topic"), 403),
        ):
            client = await self.connect()
            channel = await client.open_channel(1)
            error = await self.assertFailure(request(channel), ChannelClosed)
            self.assertEqual(error.code, code)
            self.assertIs(await self.lost(client), error)

    async def test_acknowledged_twice(self) -> None:
        """A wrong acknowledgement, which has no reply, ends the connection as well."""
        client, _ = await self.consume()
        client.ack(1, 5)
        self.assertIn("unknown delivery tag 5", str(await self.lost(client)))

    async def test_many_bindings(self) -> None:
        """Requests may be sent in a row; names of all kinds and special arguments are fine."""
        client, queue = await self.consume()
        channel: Any = client.channels[1]
        requests = [
            channel.queue_bind(queue=queue, exchange=EXCHANGE, routing_key=f"grüppe-{number}")
            for number in range(300)
        ]
        for request in requests:
            await request
        declared = await channel.queue_declare(
            queue="",
            exclusive=True,
            arguments={"x-single-active-consumer": True, "x-max-length": 5},
        )
        self.assertTrue(declared.queue.startswith("amq.gen-"))


class PublishTests(SharedBrokerTestCase):
    """Publishing with confirmation."""

    async def test_confirmed(self) -> None:
        """Trap 15: what is published is confirmed, and comes back as it was."""
        client, _ = await self.consume()
        channel: Any = await client.open_channel(2)
        await channel.confirm_select()
        headers = {name: received for name, (_, received) in _HEADERS.items()} | {"double": 1.5}
        properties = {"content_type": "application/json", "headers": headers, "delivery_mode": 1}
        bodies = [b"", b"{}", b"x" * 300_000, *(b'{"n":%d}' % number for number in range(500))]
        waiting = [client.publish(2, EXCHANGE, "gruppe-ä", body, properties) for body in bodies]
        for each in waiting:
            await each.addTimeout(PATIENCE, self.reactor)
        deliveries = await self.wait_for(min(len(bodies), 500))
        self.assertEqual([each.body for each in deliveries], bodies[: len(deliveries)])
        self.assertEqual(deliveries[0].properties(), properties)
        self.assertEqual(deliveries[0].routing_key, "gruppe-ä")

    async def test_missing_exchange(self) -> None:
        """A publish to nowhere ends the connection, and says why to whoever waits."""
        client = await self.connect()
        channel: Any = await client.open_channel(1)
        await channel.confirm_select()
        await self.assertFailure(client.publish(1, "nowhere", "k", b"", {}), ChannelClosed)
