"""Publishing, on a connection of its own.

RabbitMQ stops reading from a connection that publishes during a memory or disk alarm. Were it the
one that consumes, acknowledgements would not be read either: consuming would stop after the
prefetch, and with it what could end the alarm.
"""

from collections.abc import Callable, Sequence

from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.errors import AMQPError, ConnectFailed, PublishTimeout

_CHANNEL = 1

#: Seconds for one message to be published and confirmed, connecting included. A broker nearby
#: takes milliseconds; one with an alarm may take hours.
PUBLISH_TIMEOUT = 5.0


class Producer:
    """Publishes to one exchange, and connects when there is something to publish."""

    def __init__(
        self,
        connect: Callable[[tuple[str, int]], Deferred[Client]],
        hosts: Sequence[tuple[str, int]],
        exchange: str,
        clock: IReactorTime,
    ) -> None:
        """Prepare; nothing is connected before `publish`.

        Args:
            connect: Opens a connection to a host.
            hosts: The hosts, to be tried in turn.
            exchange: The exchange, which exists.
            clock: Bounds the waiting.
        """
        self._connect = connect
        self._hosts = hosts
        self._exchange = exchange
        self._clock = clock
        self._client: Client | None = None
        self._opening = DeferredLock()

    def publish(self, group: str, payload: bytes) -> Deferred[None]:
        """Publish an event and wait for the broker's confirmation.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            Fires when the broker has taken it; fails with an `AMQPError`, of which
            `PublishTimeout` and a lost connection leave open whether it has.
        """
        publishing = Deferred.fromCoroutine(self._publish(group, payload))
        publishing.addTimeout(PUBLISH_TIMEOUT, self._clock)
        return publishing.addErrback(_tell_timeout)

    def close(self, within: float) -> Deferred[None]:
        """Close the connection, if there is one.

        Args:
            within: Seconds for the broker to take part.

        Returns:
            Fires when it is gone.
        """
        client, self._client = self._client, None
        return succeed(None) if client is None else client.close(within=within)

    async def _publish(self, group: str, payload: bytes) -> None:
        # Only one opens a connection at a time; who comes meanwhile uses that.
        await self._opening.acquire()
        try:
            if self._client is None or self._client.lost is not None:
                self._client = await self._open()
            client = self._client
        finally:
            self._opening.release()
        await client.publish(
            _CHANNEL,
            self._exchange,
            group,
            payload,
            {"content_type": "application/json", "delivery_mode": 1},
        )

    async def _open(self) -> Client:
        reason: AMQPError = ConnectFailed("there is no host")
        for host in self._hosts:
            try:
                return await self._prepared(host)
            except AMQPError as error:
                reason = error
        raise reason

    async def _prepared(self, host: tuple[str, int]) -> Client:
        client = await self._connect(host)
        try:
            channel = await client.open_channel(_CHANNEL)
            await channel.confirm_select()
        except BaseException:
            client.abort("the preparation of the connection failed")
            raise
        return client


def _tell_timeout(failure: Failure) -> None:
    failure.trap(defer.TimeoutError)
    raise PublishTimeout(
        f"it did not confirm the event within {PUBLISH_TIMEOUT:g} s, and may still take it"
    )
