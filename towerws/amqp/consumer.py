"""A connection put to use: a queue of its own, its bindings, and what is consumed.

One topic exchange, durable, shared by all; one queue of this process, exclusive and deleted with
its connection, bound once for each routing key that is wanted. RabbitMQ sends nothing else.
"""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError

_CHANNEL = 1

#: Seconds after which deliveries are acknowledged although they are few.
ACK_DELAY = 0.05


class Consumer:
    """What a bridge does with one connection, from its opening to its loss.

    Acknowledgements are collected: one for many deliveries costs the broker and us a fraction of
    one for each.

    Attributes:
        client: The connection.
        bound: The routing keys that are bound, confirmed by the broker.
    """

    def __init__(
        self,
        client: Client,
        exchange: str,
        prefetch: int,
        clock: IReactorTime,
        on_bound: Callable[[str], None],
    ) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            client: An open connection.
            exchange: The topic exchange to consume from.
            prefetch: Messages that the broker may send ahead of their acknowledgement.
            clock: Delays acknowledgements.
            on_bound: Called with a routing key when the broker has confirmed that it is bound.
        """
        self.client = client
        self._exchange = exchange
        self._prefetch = prefetch
        self._clock = clock
        self._on_bound = on_bound
        self._channel: Any = None
        self._queue = ""
        self.bound: set[str] = set()
        self._binding: dict[str, object] = {}
        self._ack_every = max(1, prefetch // 4)
        self._unacknowledged = 0
        self._last_tag = 0
        self._ack_call: IDelayedCall | None = None

    async def start(self, routing_keys: Callable[[], Iterable[str]]) -> None:
        """Declare, bind and consume.

        Args:
            routing_keys: Called for those to bind once there is a queue; those that come later
                are for `bind`.

        Raises:
            AMQPError: The broker refused something, or the connection was lost.
        """
        channel = await self.client.open_channel(_CHANNEL)
        await channel.exchange_declare(exchange=self._exchange, type="topic", durable=True)
        declared = await channel.queue_declare(queue="", exclusive=True, auto_delete=True)
        await channel.basic_qos(prefetch_count=self._prefetch)
        self.client.pause.allow(self._prefetch)
        self._queue = declared.queue
        self._channel = channel
        try:
            await gatherResults([self._bind(key) for key in routing_keys()], consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        await channel.basic_consume(queue=self._queue)

    def bind(self, routing_keys: Iterable[str]) -> None:
        """Ask for messages; nothing before there is a queue.

        Args:
            routing_keys: With which routing keys.
        """
        if self._channel is not None:
            for key in routing_keys:
                self._bind(key).addErrback(_connection_is_gone)

    def unbind(self, routing_keys: Iterable[str]) -> None:
        """Ask for messages no more; nothing before there is a queue.

        Args:
            routing_keys: With which routing keys.
        """
        if self._channel is not None:
            for key in routing_keys:
                self.bound.discard(key)
                self._binding.pop(key, None)
                self._channel.queue_unbind(
                    queue=self._queue, exchange=self._exchange, routing_key=key
                ).addErrback(_connection_is_gone)

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """Tell the broker, soon, that deliveries have been handled.

        Args:
            deliveries: All that came in one read, in order.
        """
        self._last_tag = deliveries[-1].delivery_tag
        self._unacknowledged += len(deliveries)
        if self._unacknowledged >= self._ack_every:
            self._send_ack()
        elif self._ack_call is None:
            self._ack_call = self._clock.callLater(ACK_DELAY, self._send_ack)

    def stop(self) -> None:
        """Forget what is still to be acknowledged: the connection is gone."""
        if self._ack_call is not None:
            self._ack_call.cancel()
            self._ack_call = None

    def _send_ack(self) -> None:
        if self._ack_call is not None and self._ack_call.active():
            self._ack_call.cancel()
        self._ack_call = None
        self._unacknowledged = 0
        self.client.ack(_CHANNEL, self._last_tag, multiple=True)

    def _bind(self, key: str) -> Deferred[None]:
        self.bound.discard(key)
        request = self._binding[key] = object()
        bound: Deferred[Any] = self._channel.queue_bind(
            queue=self._queue, exchange=self._exchange, routing_key=key
        )
        return bound.addCallback(lambda _: self._bound(key, request))

    def _bound(self, key: str, request: object) -> None:
        # Only the last binding counts, and only until it is unbound: between two bindings of the
        # same key there was an unbinding, which the broker may not have come to yet.
        if self._binding.get(key) is request:
            del self._binding[key]
            self.bound.add(key)
            self._on_bound(key)


def _connection_is_gone(failure: Failure) -> None:
    # Whoever waits for Client.when_lost is told the same, and binds anew.
    failure.trap(AMQPError)
