"""A connection put to use: the node's queue, its bindings, and what is consumed.

One topic exchange, durable, shared by all; one queue of this process, exclusive and deleted with
its connection, bound once for each group that has listeners. RabbitMQ sends a node only what its
clients want.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError

_CHANNEL = 1

#: Seconds after which consumed events are acknowledged although few of them are.
ACK_DELAY = 0.05


class Consumer:
    """What a bridge does with one connection, from its opening to its loss.

    Acknowledgements are collected: one for many events costs the broker and us a fraction of one
    for each.

    Attributes:
        client: The connection.
        bound: The groups whose last binding the broker has confirmed.
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
            exchange: The topic exchange that backends publish to.
            prefetch: Events that the broker may send ahead of their acknowledgement.
            clock: Delays acknowledgements.
            on_bound: Called with a group's name when the broker has confirmed its last binding.
        """
        self.client = client
        self._exchange = exchange
        self._prefetch = prefetch
        self._clock = clock
        self._on_bound = on_bound
        self._channel: Any = None
        self._queue = ""
        self.bound: set[str] = set()
        self._unconfirmed: Counter[str] = Counter()
        self._ack_every = max(1, prefetch // 4)
        self._unacknowledged = 0
        self._last_tag = 0
        self._ack_call: IDelayedCall | None = None

    async def start(self, groups: Callable[[], Iterable[str]]) -> None:
        """Declare, bind and consume.

        Args:
            groups: Called for the groups to bind once there is a queue; groups that come later
                are for `bind`.

        Raises:
            AMQPError: The broker refused something, or the connection was lost.
        """
        channel = await self.client.open_channel(_CHANNEL)
        await channel.exchange_declare(exchange=self._exchange, type="topic", durable=True)
        declared = await channel.queue_declare(queue="", exclusive=True, auto_delete=True)
        await channel.basic_qos(prefetch_count=self._prefetch)
        self._queue = declared.queue
        self._channel = channel
        try:
            await gatherResults([self._bind(name) for name in groups()], consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        await channel.basic_consume(queue=self._queue)

    def bind(self, names: Iterable[str]) -> None:
        """Ask for the events of groups; nothing before there is a queue.

        Args:
            names: The groups.
        """
        if self._channel is not None:
            for name in names:
                self._bind(name).addErrback(_connection_is_gone)

    def unbind(self, names: Iterable[str]) -> None:
        """Ask for the events of groups no more; nothing before there is a queue.

        Args:
            names: The groups.
        """
        if self._channel is not None:
            for name in names:
                self.bound.discard(name)
                self._channel.queue_unbind(
                    queue=self._queue, exchange=self._exchange, routing_key=name
                ).addErrback(_connection_is_gone)

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """Tell the broker, soon, that events have been handled.

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

    def _bind(self, name: str) -> Deferred[None]:
        self.bound.discard(name)
        self._unconfirmed[name] += 1
        bound: Deferred[Any] = self._channel.queue_bind(
            queue=self._queue, exchange=self._exchange, routing_key=name
        )
        return bound.addCallback(lambda _: self._bound(name))

    def _bound(self, name: str) -> None:
        # Between two bindings of the same name there was an unbinding, which the broker may not
        # have come to yet: only the last confirmation counts.
        self._unconfirmed[name] -= 1
        if not self._unconfirmed[name]:
            del self._unconfirmed[name]
            self.bound.add(name)
            self._on_bound(name)


def _connection_is_gone(failure: Failure) -> None:
    # Whoever waits for Client.when_lost is told the same, and binds anew.
    failure.trap(AMQPError)
