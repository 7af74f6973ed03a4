"""What the broker drops from a queue, noticed: it goes to a second queue that keeps one message.

A queue with a limit drops its oldest messages in silence, unless it has somewhere to put them
(https://www.rabbitmq.com/docs/dlx). What is dropped is of no use to whoever is too slow for it, so
one message is enough: to know that there was one.
"""

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from towerws.amqp.client import Client
from towerws.amqp.consumer import TELL_OF_CRASHES
from towerws.amqp.deliveries import Delivery

#: Seconds from one notice to the next. Until a dead letter is acknowledged, the broker sends no
#: other, and of those that it gets meanwhile keeps the last one.
NOTICE_EVERY = 1.0


class DeadLetters:
    """The queue of one message, on a channel of its own.

    Attributes:
        channel_id: The channel's number, by which its deliveries are told from others.
    """

    def __init__(self, client: Client, channel_id: int, clock: IReactorTime) -> None:
        """Prepare; nothing is sent before `declare`.

        Args:
            client: An open connection.
            channel_id: A number that is not in use on it.
            clock: Spaces out the notices.
        """
        self.channel_id = channel_id
        self._client = client
        self._clock = clock
        self._ack_call: IDelayedCall | None = None

    async def declare(self) -> dict[str, object]:
        """Make the queue, and begin to consume from it.

        Returns:
            The arguments with which to declare the queue whose losses are to be noticed. The user
            needs to be allowed to write to ``amq.default``, the exchange by which they come.

        Raises:
            AMQPError: The broker refused something, or the connection was lost.
        """
        channel: Any = await self._client.open_channel(self.channel_id)
        await channel.basic_qos(prefetch_count=1)
        declared = await channel.queue_declare(
            queue="", exclusive=True, auto_delete=True, arguments={"x-max-length": 1}
        )
        await channel.basic_consume(queue=declared.queue, arguments=TELL_OF_CRASHES)
        return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": declared.queue}

    def received(self, delivery: Delivery) -> None:
        """Take a dead letter; the next one comes `NOTICE_EVERY` seconds later, if there is one.

        Args:
            delivery: What was dropped, or the last of it.
        """
        self._ack_call = self._clock.callLater(
            NOTICE_EVERY, self._client.ack, self.channel_id, delivery.delivery_tag
        )

    def stop(self) -> None:
        """Take no more: the connection is gone."""
        if self._ack_call is not None and self._ack_call.active():
            self._ack_call.cancel()
