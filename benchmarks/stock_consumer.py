"""Consume with txamqp as it is shipped: the reference that `benchmarks.consume` compares with.

Run as ``python -m benchmarks.stock_consumer PORT QUEUE``. Written as txamqp's own examples are: get
a message from the client's queue, acknowledge it, get the next one. txamqp ships no specification,
so it gets ours.
"""

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from txamqp.client import TwistedDelegate
from txamqp.protocol import AMQClient

from towerws.amqp.specification import load_specification

PREFETCH = 500


async def consume(reactor: Any, port: int, queue: str) -> None:
    """Consume until the process is ended.

    Args:
        reactor: Connects.
        port: Of a broker on this machine.
        queue: An existing queue; ASCII messages without headers only, the rest kills txamqp.
    """
    client: Any = AMQClient(TwistedDelegate(), "/", load_specification(), clock=reactor)
    await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", port), client)
    await client.authenticate("guest", "guest", mechanism="PLAIN")
    channel = await client.channel(1)
    await channel.channel_open()
    await channel.basic_qos(prefetch_count=PREFETCH)
    await channel.basic_consume(queue=queue, consumer_tag="stock")
    messages = await client.queue("stock")
    while True:
        message = await messages.get()
        channel.basic_ack(delivery_tag=message.delivery_tag)


if __name__ == "__main__":
    task.react(
        lambda reactor: Deferred.fromCoroutine(consume(reactor, int(sys.argv[1]), sys.argv[2]))
    )
