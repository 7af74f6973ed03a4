"""A backend for tests of the server: pika, which publishes with confirms and checks nothing."""

from contextlib import suppress
from typing import Any

import pika
import pika.exceptions

#: How long pika waits for a broker that does not answer, in seconds.
_PATIENCE = 10


class Backend:
    """A connection of pika's to a broker. All methods block for a bounded time.

    Attributes:
        channel: Pika's channel, in confirm mode.
        exchange: Where `publish` publishes to.
    """

    def __init__(self, url: str, exchange: str = "towerws.events") -> None:
        """Connect, and declare the exchange as the server does.

        Args:
            url: The broker's.
            exchange: A topic exchange.
        """
        parameters = pika.URLParameters(url)
        parameters.blocked_connection_timeout = _PATIENCE
        parameters.socket_timeout = _PATIENCE
        self._connection = pika.BlockingConnection(parameters)
        self.channel = self._connection.channel()
        self.channel.exchange_declare(exchange, "topic", durable=True)
        self.channel.confirm_delivery()
        self.exchange = exchange

    def publish(self, group: str | bytes, body: bytes, **properties: Any) -> None:
        """Publish an event and wait until the broker has taken it.

        Args:
            group: The routing key.
            body: The event.
            **properties: As pika's ``BasicProperties`` has them.
        """
        properties.setdefault("content_type", "application/json")
        self.channel.basic_publish(self.exchange, group, body, pika.BasicProperties(**properties))

    def close(self) -> None:
        """Close the connection; no matter if it is lost already."""
        # Pika believes in a connection until it uses it.
        with suppress(pika.exceptions.AMQPError):
            self._connection.close()
