"""The event source behind a broker: keeps a connection to it, and reconnects when that is lost."""

from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.connect import connect
from towerws.amqp.errors import AMQPError
from towerws.amqp.hosts import Host, Hosts
from towerws.broker_emitter import CLOSE_WITHIN, BrokerEmitter, connection_name
from towerws.core.broker_url import BrokerURL
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle
from towerws.feeds.interfaces import Feed

#: Seconds that a connection must have lived for the next one to be tried without much delay. A
#: broker that closes each connection soon after its start is not to be stormed.
STABLE_AFTER = 30.0

_STOPS = "the server stops"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """How to connect.

    Attributes:
        exchange: The topic exchange that is published to.
        max_event: The largest event, in bytes; larger ones are counted and dropped.
        retry_at_first: Seconds between the first attempt to connect and the second; longer after
            each. Up to a second of jitter is added, lest all nodes come at once.
        retry_at_most: The longest time between two attempts, without the jitter. Short, because
            clients wait for their events, and a broker that is down refuses a connection at no
            cost.
    """

    exchange: str = "towerws.events"
    max_event: int = 1 << 24
    retry_at_first: float = 0.1
    retry_at_most: float = 2.5


class AMQPBridge(Service):
    """Keeps a connection to the broker; what comes by it is a feed's affair."""

    name = "AMQP bridge"
    _log = Logger()

    def __init__(
        self,
        url: BrokerURL,
        feed: Feed,
        settings: BridgeSettings,
        metrics: Metrics,
        reactor: Any,
        *,
        on_resumed: Callable[[], object],
        emits: bool = True,
        hosts: Hosts | None = None,
        connect: Callable[..., Deferred[Client]] = connect,
    ) -> None:
        """Prepare the bridge; it connects when it is started.

        Args:
            url: The broker, or several of one cluster.
            feed: Is given each connection, and has events come by it.
            settings: How to connect.
            metrics: Where things are counted.
            reactor: Connects and measures time.
            on_resumed: Called when it has come into service: what was revoked before may have been
                missed.
            emits: Whether `emit` and `revoke` are to work; else somebody else publishes.
            hosts: The hosts of the URL, if others are to know as well which of them works.
            connect: For tests; see `towerws.amqp.connect.connect`.
        """
        self._hosts = hosts or Hosts(url.hosts)
        self._feed = feed
        self._reactor = reactor
        self._connect = partial(connect, url, reactor=reactor, max_body=settings.max_event)
        self._retry_delay = backoffPolicy(settings.retry_at_first, settings.retry_at_most)
        self._throttle = Throttle(reactor.seconds)
        self._on_resumed = on_resumed
        self._client: Client | None = None
        self._unready: str | None = "not connected to the broker yet"
        self._is_draining = False
        self._running: Deferred[None] | None = None
        self._connections = metrics.counter(
            "towerws_broker_connections_total", "Connections to the broker that came into service."
        )
        metrics.gauge(
            "towerws_broker_connected",
            "1 while events come from the broker.",
            lambda: int(self._unready is None),
        )
        self._emitter: BrokerEmitter | None = None
        if emits:
            self._emitter = BrokerEmitter(
                url, settings.exchange, metrics, reactor, hosts=self._hosts, connect=connect
            )

    def startService(self) -> None:
        """Begin to connect, and go on until stopped."""
        super().startService()
        self._is_draining = False
        if self._emitter is not None:
            self._emitter.startService()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    def drain(self) -> Deferred[None]:
        """Have no more events come, and connect no more; `stopService` is to follow.

        Returns:
            Fires, within a bounded time, when all that the broker has sent is handed on and
            acknowledged.
        """
        is_in_service = self._unready is None
        self._is_draining = True
        self._unready = _STOPS
        if is_in_service:
            return Deferred.fromCoroutine(self._feed.drain())
        self._end_run()
        return succeed(None)

    def stopService(self) -> Deferred[None]:
        """Leave the broker.

        Returns:
            Fires when the connection is closed, within a bounded time.
        """
        super().stopService()
        client = self._client
        self._end_run()
        self._unready = _STOPS
        closing = []
        if self._emitter is not None:
            closing.append(self._emitter.stopService())
        if client is not None:
            closing.append(client.close(within=CLOSE_WITHIN))
        return gatherResults(closing).addCallback(lambda _: None)

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Have groups come, or not any more; see `towerws.core.hub.EventSource`."""
        self._feed.interest(started, ended)

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back when events of all groups come; see `towerws.core.hub.EventSource`."""
        self._feed.when_in_force(waiter, names, callback)

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more; see `towerws.core.hub.EventSource`."""
        self._feed.forget(waiter)

    def unready(self) -> str | None:
        """Give the reason why no events come, None if they do."""
        return self._unready

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """Publish an event to all nodes; see `towerws.operations.publishing.Emitter`.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            Fires with ``{"confirmed": true}`` when the broker has taken it; fails with
            `SourceUnavailable`.
        """
        return Deferred.fromCoroutine(self._publish(lambda to: to.emit(group, payload)))

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """Take access away on all nodes, this one included; answers and fails as `emit` does.

        Args:
            revocation: Who may hear less.
        """
        return Deferred.fromCoroutine(self._publish(lambda to: to.revoke(revocation)))

    async def _publish(
        self, publish: Callable[[BrokerEmitter], Awaitable[dict[str, object]]]
    ) -> dict[str, object]:
        if self._unready is not None:
            raise SourceUnavailable(f"The broker is away: {self._unready}.")
        if self._emitter is None:
            raise SourceUnavailable("This process does not publish.")
        return await publish(self._emitter)

    def _end_run(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def _run(self) -> None:
        attempt = 0
        while True:
            if await self._serve() >= STABLE_AFTER:
                attempt = 0
            if self._is_draining:
                return
            await deferLater(self._reactor, self._retry_delay(attempt))
            attempt += 1

    async def _serve(self) -> float:
        """Try the hosts in turn, and serve with the first that works until it is lost.

        Returns:
            How many seconds a connection lived; 0 if there was none.
        """
        for position, host in enumerate(self._hosts):
            try:
                client = await self._open(host)
            except AMQPError as error:
                self._refused(host, error)
                continue
            began = self._reactor.seconds()
            try:
                reason = await client.when_lost()
            finally:
                self._release()
            self._unready = str(reason)
            self._log.warn("lost the broker: {reason}", reason=reason)
            lived = float(self._reactor.seconds() - began)
            self._hosts.lost(position, lasted=lived >= STABLE_AFTER)
            return lived
        return 0.0

    def _refused(self, host: Host, error: AMQPError) -> None:
        self._unready = str(error)
        if self._throttle.permit(f"{host} {type(error).__name__}") is not None:
            self._log.warn(
                "no events from the broker at {host}: {reason}", host=_address(host), reason=error
            )

    async def _open(self, host: Host) -> Client:
        client = await self._connect(
            host,
            connection_name=connection_name("consumer"),
            on_deliveries=self._feed.delivered,
        )
        self._client = client
        # Whatever the feed connects to besides is most likely to work there.
        self._hosts.serving = host
        try:
            await self._feed.begin(client)
        except BaseException:
            self._release()
            client.abort("the preparation of the connection failed")
            raise
        self._in_service(host)
        return client

    def _in_service(self, host: Host) -> None:
        self._unready = None
        self._connections.add()
        self._log.info("consuming from the broker at {host}", host=_address(host))
        self._feed.serving()
        self._on_resumed()

    def _release(self) -> None:
        self._client = None
        self._feed.lost()

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._unready = "a fault of the server ended the bridge"
            self._log.failure("the AMQP bridge ended", failure)


def _address(host: Host) -> str:
    return "{}:{}".format(*host)
