"""Publishing, on a connection of its own.

RabbitMQ stops reading from a connection that publishes during a memory or disk alarm. Were it the
one that consumes, acknowledgements would not be read either: consuming would stop after the
prefetch, and with it what could end the alarm.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.errors import (
    AMQPError,
    ConnectFailed,
    ConnectionAborted,
    EncodeError,
    PublishError,
    PublishNotSent,
    PublishUnconfirmed,
)
from towerws.amqp.hosts import Host

_CHANNEL = 1

#: Seconds for one message to be published and confirmed, connecting included. A broker nearby
#: takes milliseconds.
PUBLISH_TIMEOUT = 5.0

#: Of these, seconds for the connection to be opened, shared by all hosts. What is left is enough to
#: publish.
OPEN_TIMEOUT = 4.0


class Producer:
    """Publishes to one exchange, and connects when there is something to publish."""

    _log = Logger()

    def __init__(
        self,
        connect: Callable[..., Deferred[Client]],
        hosts: Callable[[], Sequence[Host]],
        exchange: str,
        clock: IReactorTime,
    ) -> None:
        """Prepare; nothing is connected before `publish`.

        Args:
            connect: Opens a connection to a host; takes also what a `Client` is told.
            hosts: Called for the hosts, at least one, in the order in which to try them now.
            exchange: The exchange, which exists.
            clock: Bounds the waiting.
        """
        self._connect = connect
        self._hosts = hosts
        self._exchange = exchange
        self._clock = clock
        self._client: Client | None = None
        self._opening: Deferred[Any] | None = None
        self._waiting: list[Deferred[Client]] = []
        self._closed = False

    @property
    def blocked(self) -> bool:
        """Whether the broker takes no messages for now, as far as the connection was told."""
        client = self._client
        return client is not None and client.lost is None and client.blocked is not None

    def publish(self, routing_key: str, body: bytes) -> Deferred[None]:
        """Publish a message and wait for the broker's confirmation.

        Args:
            routing_key: The routing key.
            body: JSON in UTF-8.

        Returns:
            Fires when the broker has taken it. Fails within `PUBLISH_TIMEOUT` with a
            `PublishError`: with `PublishNotSent` if there is no connection; with
            `PublishUnconfirmed` if it was sent and the broker may have it or not; or with what
            `Client.publish` fails with.
        """
        return Deferred.fromCoroutine(self._publish(routing_key, body))

    def close(self, within: float) -> Deferred[None]:
        """Publish no more, and close the connection, be it open or still to come.

        Args:
            within: Seconds for the broker to take part.

        Returns:
            Fires when it is gone.
        """
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        client, self._client = self._client, None
        return succeed(None) if client is None else client.close(within=within)

    async def _publish(self, routing_key: str, body: bytes) -> None:
        began = self._clock.seconds()
        try:
            client = await self._connected()
        except AMQPError as error:
            raise PublishNotSent(f"nothing was sent: {error}") from error
        confirmed = client.publish(
            _CHANNEL,
            self._exchange,
            routing_key,
            body,
            {"content_type": "application/json", "delivery_mode": 1},
        )
        confirmed.addTimeout(
            began + PUBLISH_TIMEOUT - self._clock.seconds(), self._clock, _tell_timeout
        )
        try:
            await confirmed
        except (PublishError, EncodeError):
            raise
        except AMQPError as error:
            raise PublishUnconfirmed(f"it was sent and may have been taken, but {error}") from error

    def _connected(self) -> Deferred[Client]:
        """Wait for a connection; whoever comes while it is being opened waits for the same."""
        if self._closed:
            return fail(_closed())
        if self._client is not None and self._client.lost is None:
            return succeed(self._client)
        waiting: Deferred[Client] = Deferred()
        self._waiting.append(waiting)
        if self._opening is None:
            self._opening = Deferred.fromCoroutine(self._open())
            self._opening.addBoth(self._opened)
        return waiting

    def _opened(self, result: Any) -> None:
        self._opening = None
        if not isinstance(result, Failure):
            self._client = result
        elif result.check(CancelledError):
            result = Failure(_closed())
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(result)

    async def _open(self) -> Client:
        """Connect to the first host that lets us, with an equal share of the time for each."""
        reason: AMQPError = ConnectFailed("there is no host")
        hosts = self._hosts()
        deadline = self._clock.seconds() + OPEN_TIMEOUT
        for left in range(len(hosts), 0, -1):
            host = hosts[-left]
            share = max(0.0, deadline - self._clock.seconds()) / left
            preparing = Deferred.fromCoroutine(self._prepared(host))
            preparing.addTimeout(share, self._clock)
            try:
                return await preparing
            except AMQPError as error:
                reason = error
            except defer.TimeoutError:
                reason = ConnectFailed(f"no connection to {host[0]} port {host[1]} in time")
        raise reason

    async def _prepared(self, host: Host) -> Client:
        client = await self._connect(
            host, on_deliveries=lambda _: None, on_blocked=self._blocked_changed
        )
        try:
            channel = await client.open_channel(_CHANNEL)
            await channel.confirm_select()
        except BaseException:
            client.abort("the preparation of the connection failed")
            raise
        return client

    def _blocked_changed(self, blocked: bool, reason: str) -> None:
        if blocked:
            self._log.warn("the broker takes no messages for now: {reason}", reason=reason)
        else:
            self._log.info("the broker takes messages again")


def _closed() -> AMQPError:
    return ConnectionAborted("this side has closed the connection")


def _tell_timeout(_result: object, _seconds: float) -> NoReturn:
    raise PublishUnconfirmed("it was sent and may still be taken, but was not confirmed in time")
