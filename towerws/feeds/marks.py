"""Marks: what a node publishes to see how far it has read.

A mark goes through the exchange like any event, under a routing key that no group can have, so
whoever reads it has read everything that was published before. It also gives a stream without
events an entry, which a position can point to.
"""

import json
import secrets
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from towerws.amqp.client import Client
from towerws.amqp.errors import PublishError
from towerws.amqp.hosts import Hosts
from towerws.amqp.producer import Producer
from towerws.broker_emitter import CLOSE_WITHIN, connection_name

#: The routing key, and the group of marks in the history. Names that begin with ``$`` belong to
#: the server.
ROUTING_KEY = "$mark"


def make_mark() -> bytes:
    """Make a mark like no other.

    Returns:
        The message, JSON in ASCII.
    """
    return json.dumps({"mark": secrets.token_hex(16)}).encode("ascii")


class MarkPublisher:
    """Publishes marks, each on a connection of its own: a node does so once when it connects.

    Not on that which consumes: see `towerws.amqp.producer`.
    """

    def __init__(
        self,
        connect: Callable[..., Deferred[Client]],
        hosts: Hosts,
        exchange: str,
        clock: IReactorTime,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            connect: Opens a connection to a host; takes also what a `Client` is told.
            hosts: The broker's.
            exchange: The exchange, which exists when something is published.
            clock: Bounds the waiting.
        """
        self._connect = connect
        self._hosts = hosts
        self._exchange = exchange
        self._clock = clock

    async def publish(self, mark: bytes) -> None:
        """Publish a mark and wait for the broker's confirmation.

        Args:
            mark: What `make_mark` gave.

        Raises:
            PublishError: The broker has not confirmed it, within a bounded time.
        """
        connect = partial(self._connect, connection_name=connection_name("mark"))
        producer = Producer(connect, self._hosts.serving_first, self._exchange, self._clock)
        try:
            await producer.publish(ROUTING_KEY, mark)
        except PublishError as error:
            raise type(error)(
                f"the broker did not confirm the server's own mark: {error}"
            ) from None
        finally:
            # Not waited for: it ends by itself, and the mark has arrived.
            producer.close(CLOSE_WITHIN)
