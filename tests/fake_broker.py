"""A broker as the bridge and the consumer see it: a client of our own making.

It stands for `towerws.amqp.client.Client` and `towerws.amqp.connect.connect`, with the same
promises: a request that is cancelled ends the connection, and who waits for the end is told of it a
moment later.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError, ConnectionAborted
from towerws.amqp.pause import ReadPause
from towerws.amqp.specification import encode_method, load_specification


def delivery(
    tag: int, routing_key: str = "jobs-1", body: bytes | None = b"{}", *, channel: int = 1
) -> Delivery:
    """Make a delivery; without a body it is one that was too large."""
    size = 1 << 30 if body is None else len(body)
    return Delivery(channel, tag, False, routing_key, size, body)


@dataclass
class Call:
    """One request on a channel.

    Attributes:
        channel: The channel's number.
        name: Such as ``queue_bind``; ``2:queue_declare`` on another channel than the first.
        arguments: By their names.
        answer: Fires with the broker's reply.
    """

    channel: int
    name: str
    arguments: dict[str, Any]
    answer: Deferred[Any] = field(repr=False)


class FakeChannel:
    """A channel on which every request is taken note of, if AMQP has such a request."""

    def __init__(self, client: "FakeClient", channel_id: int) -> None:
        """Belong to a client."""
        self._client = client
        self._channel_id = channel_id

    def __getattr__(self, name: str) -> Callable[..., Deferred[Any]]:
        """Give the method of this name in the specification, which takes its arguments only."""
        method = getattr(load_specification().klass, name)

        def request(**arguments: Any) -> Deferred[Any]:
            method(_Encoder(), **arguments)
            return self._client.call(self._channel_id, name, arguments)

        return request


class _Encoder:
    """What a method of the specification is called on, to see whether its arguments are right."""

    def invoke(self, method: Any, arguments: tuple[Any, ...]) -> None:
        encode_method(method, arguments)


class FakeClient:
    """An open connection.

    Attributes:
        calls: All requests, in order.
        held: Names of the requests that the broker does not answer by itself. Those for a routing
            key of the server's own it always answers.
        acks: Channel, delivery tag and whether it stands for those before, of each.
        published: Channel, exchange, routing key, body and properties of each.
        confirmation: What the next publish gets.
        aborted: Why this side gave the connection up.
        closings: Seconds that each `close` allowed.
        closed: Fires when a `close` is over.
        lost: Why the connection is over.
        blocked: Why the broker takes no messages.
        pause: A real one.
    """

    def __init__(self, clock: Clock, held: tuple[str, ...] = ()) -> None:
        """Connect to a broker that answers all but some requests."""
        self.calls: list[Call] = []
        self.held = set(held)
        self.acks: list[tuple[int, int, bool]] = []
        self.published: list[tuple[int, str, str, bytes, dict[str, Any]]] = []
        self.confirmation: Deferred[None] = succeed(None)
        self.aborted: list[str] = []
        self.closings: list[float] = []
        self.closed: Deferred[None] = succeed(None)
        self._clock = clock
        self.lost: AMQPError | None = None
        self.blocked: str | None = None
        self._waiters: list[Deferred[AMQPError]] = []
        self._queues = 0
        self.pause = ReadPause(clock)

    def call(self, channel: int, name: str, arguments: dict[str, Any]) -> Deferred[Any]:
        """Take a request, and answer it unless it is held."""
        if self.lost is not None:
            return fail(self.lost)
        name = name if channel == 1 else f"{channel}:{name}"
        call = Call(channel, name, arguments, Deferred(self._cancelled))
        self.calls.append(call)
        if name not in self.held or _is_own(call):
            self.reply(call)
        return call.answer

    def reply(self, call: Call) -> None:
        """Answer a request as RabbitMQ does."""
        name = call.name.rpartition(":")[2]
        if name == "channel_open":
            call.answer.callback(FakeChannel(self, call.channel))
            return
        self._queues += name == "queue_declare"
        call.answer.callback(
            SimpleNamespace(queue=f"amq.gen-{self._queues}", consumer_tag=f"ctag-{call.channel}")
        )

    def reply_to(self, name: str) -> None:
        """Answer the oldest request of this name that has no answer."""
        waiting = (call for call in self.calls if not call.answer.called)
        self.reply(next(call for call in waiting if call.name == name))

    def release(self, name: str) -> None:
        """Answer all requests of this name, those that have no answer and those to come."""
        self.held.discard(name)
        self.reply_to(name)

    def named(self, *names: str) -> list[tuple[str, str]]:
        """Give name and routing key of the requests with one of these names, for groups."""
        return [
            (call.name, call.arguments["routing_key"])
            for call in self.calls
            if call.name in names and not _is_own(call)
        ]

    def lose(self, reason: AMQPError) -> None:
        """End the connection from the broker's side."""
        self._fail(reason)
        self._gone()

    def open_channel(self, channel_id: int) -> Deferred[FakeChannel]:
        """See `towerws.amqp.client.Client`."""
        return self.call(channel_id, "channel_open", {})

    def when_lost(self) -> Deferred[AMQPError]:
        """See `towerws.amqp.client.Client`."""
        waiter: Deferred[AMQPError] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def ack(self, channel_id: int, delivery_tag: int, *, multiple: bool = False) -> None:
        """See `towerws.amqp.client.Client`."""
        self.acks.append((channel_id, delivery_tag, multiple))

    def publish(
        self,
        channel_id: int,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any],
    ) -> Deferred[None]:
        """See `towerws.amqp.client.Client`."""
        self.published.append((channel_id, exchange, routing_key, body, properties))
        return self.confirmation

    def abort(self, reason: str) -> None:
        """See `towerws.amqp.client.Client`."""
        self.aborted.append(reason)
        if self.lost is None:
            self._fail(ConnectionAborted(reason))
            self._clock.callLater(0, self._gone)

    def close(self, within: float) -> Deferred[None]:
        """See `towerws.amqp.client.Client`."""
        self.closings.append(within)
        if self.lost is None:
            self._fail(ConnectionAborted("this side closed the connection"))
            self._clock.callLater(0, self._gone)
        return self.closed

    def _cancelled(self, answer: Deferred[Any]) -> None:
        answer.errback(CancelledError())
        self.abort("a request to the broker was cancelled")

    def _fail(self, reason: AMQPError) -> None:
        self.lost = reason
        for call in self.calls:
            if not call.answer.called:
                call.answer.errback(reason)

    def _gone(self) -> None:
        assert self.lost is not None
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(self.lost)


def _is_own(call: Call) -> bool:
    return str(call.arguments.get("routing_key", "")).startswith("$")


@dataclass
class Attempt:
    """One attempt to connect.

    Attributes:
        host: Which of the hosts.
        options: What the client was to be made with.
        outcome: Fires with the client.
    """

    host: tuple[str, int]
    options: dict[str, Any]
    outcome: Deferred[Any] = field(repr=False)

    def deliver(self, *deliveries: Delivery) -> None:
        """Let the broker deliver some messages in one read."""
        self.options["on_deliveries"](list(deliveries))


class FakeConnect:
    """Stands for `towerws.amqp.connect.connect`.

    Attributes:
        attempts: All attempts, in order.
    """

    def __init__(self) -> None:
        """Wait for attempts."""
        self.attempts: list[Attempt] = []

    def __call__(self, url: Any, host: tuple[str, int], **options: Any) -> Deferred[Any]:
        """Take an attempt."""
        attempt = Attempt(host, options, Deferred())
        self.attempts.append(attempt)
        return attempt.outcome
