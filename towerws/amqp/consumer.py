"""A consumer: one channel, what comes by it, and its acknowledgements."""

from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from towerws.amqp.channel import Channel
from towerws.amqp.client import Client
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import ReplyTimeout

#: Seconds after which deliveries are acknowledged although they are few.
ACK_DELAY = 0.05


#: Seconds for the broker to stop sending, when a consumer is cancelled.
CANCEL_WITHIN = 2.0

#: A queue's process that dies is restarted empty, and RabbitMQ (3.10.8) goes on to consume from it
#: for us without a word; with this it cancels the consumer instead. Streams refuse the argument.
TELL_OF_CRASHES = {"x-cancel-on-ha-failover": True}


class Consumer:
    """Takes messages from one queue, on a channel that is used for nothing that blocks.

    Acknowledgements are collected: one for many deliveries costs the broker and us a fraction of
    one for each.

    Attributes:
        client: The connection.
        channel_id: The channel's number, by which its deliveries are told from others.
    """

    def __init__(self, client: Client, channel_id: int, prefetch: int, clock: IReactorTime) -> None:
        """Prepare; nothing is sent before `open`.

        Args:
            client: An open connection.
            channel_id: A number that is not in use on it.
            prefetch: Messages that the broker may send ahead of their acknowledgement.
            clock: Delays acknowledgements, and bounds the waiting.
        """
        self.client = client
        self.channel_id = channel_id
        self._prefetch = prefetch
        self._clock = clock
        self._channel: Any = None
        self._tag: str | None = None
        self._ack_every = max(1, prefetch // 4)
        self._unacknowledged = 0
        self._last_tag = 0
        self._ack_call: IDelayedCall | None = None

    async def open(self) -> Channel:
        """Open the channel.

        Returns:
            The channel, to declare and bind on.

        Raises:
            AMQPError: The broker refused something, or the connection was lost.
        """
        self._channel = await self.client.open_channel(self.channel_id)
        channel: Channel = self._channel
        return channel

    async def consume(self, queue: str, **arguments: object) -> None:
        """Have messages come, after `open`.

        Args:
            queue: The queue.
            **arguments: More of ``basic.consume``.

        Raises:
            AMQPError: The broker refused, or the connection was lost.
        """
        # The prefetch is that of each consumer of the channel that begins from then on.
        await self._channel.basic_qos(prefetch_count=self._prefetch)
        self.client.pause.allow(self._prefetch)
        consuming = await self._channel.basic_consume(queue=queue, **arguments)
        self._tag = consuming.consumer_tag

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """Tell the broker, soon, that deliveries have been handled.

        Args:
            deliveries: All of this channel that came in one read, in order; at least one.
        """
        self._last_tag = deliveries[-1].delivery_tag
        self._unacknowledged += len(deliveries)
        if self._unacknowledged >= self._ack_every:
            self._send_ack()
        elif self._ack_call is None:
            self._ack_call = self._clock.callLater(ACK_DELAY, self._send_ack)

    async def cancel(self, within: float = CANCEL_WITHIN) -> None:
        """Have no more messages come, and acknowledge all that have been handled.

        What the broker sent before it answers has been delivered when this returns. Nothing to do
        if nothing is consumed.

        Args:
            within: Seconds for the broker to answer; one that does not loses the connection.

        Raises:
            AMQPError: The connection is lost, or was.
        """
        tag, self._tag = self._tag, None
        if tag is None:
            return
        cancelled = self._channel.basic_cancel(consumer_tag=tag)
        try:
            await cancelled.addTimeout(within, self._clock)
        except defer.TimeoutError:
            raise ReplyTimeout(f"the broker did not cancel within {within:g} s") from None
        if self._unacknowledged:
            self._send_ack()

    def stop(self) -> None:
        """Forget what is still to be acknowledged: the connection is gone."""
        self._tag = None
        if self._ack_call is not None:
            self._ack_call.cancel()
            self._ack_call = None

    def _send_ack(self) -> None:
        if self._ack_call is not None and self._ack_call.active():
            self._ack_call.cancel()
        self._ack_call = None
        self._unacknowledged = 0
        self.client.ack(self.channel_id, self._last_tag, multiple=True)
