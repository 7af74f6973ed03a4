"""The bindings of a queue to a topic exchange, which come and go with who listens."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from towerws.amqp.errors import AMQPError


class Bindings:
    """The routing keys with which messages come to a queue, for as long as its connection lives.

    Attributes:
        bound: The routing keys that are bound, confirmed by the broker.
    """

    def __init__(
        self, channel: Any, exchange: str, queue: str, on_bound: Callable[[str], None]
    ) -> None:
        """Bind nothing yet.

        Args:
            channel: An open channel.
            exchange: The topic exchange.
            queue: The queue.
            on_bound: Called with a routing key when the broker has confirmed that it is bound.
        """
        self.bound: set[str] = set()
        self._channel = channel
        self._exchange = exchange
        self._queue = queue
        self._on_bound = on_bound
        self._binding: dict[str, object] = {}

    async def begin(self, routing_keys: Iterable[str]) -> None:
        """Bind a number of keys all at once, and wait until the broker has.

        Args:
            routing_keys: With which routing keys.

        Raises:
            AMQPError: The broker refused one, or the connection was lost.
        """
        try:
            await gatherResults([self._bind(key) for key in routing_keys], consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()

    def bind(self, routing_keys: Iterable[str]) -> None:
        """Ask for messages.

        Args:
            routing_keys: With which routing keys.
        """
        for key in routing_keys:
            self._bind(key).addErrback(_connection_is_gone)

    def unbind(self, routing_keys: Iterable[str]) -> None:
        """Ask for messages no more.

        Args:
            routing_keys: With which routing keys.
        """
        for key in routing_keys:
            self.bound.discard(key)
            self._binding.pop(key, None)
            self._channel.queue_unbind(
                queue=self._queue, exchange=self._exchange, routing_key=key
            ).addErrback(_connection_is_gone)

    def _bind(self, key: str) -> Deferred[None]:
        self.bound.discard(key)
        request = self._binding[key] = object()
        binding: Deferred[Any] = self._channel.queue_bind(
            queue=self._queue, exchange=self._exchange, routing_key=key
        )
        return binding.addCallback(lambda _: self._bound(key, request))

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
