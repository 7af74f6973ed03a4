"""The event source behind a broker: consumes from RabbitMQ, and reconnects when that is lost."""

from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.amqp.client import Client
from towerws.amqp.connect import connect
from towerws.amqp.consumer import Consumer
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError
from towerws.amqp.hosts import Host, Hosts
from towerws.broker_emitter import CLOSE_WITHIN, BrokerEmitter, connection_name
from towerws.core.broker_url import BrokerURL
from towerws.core.hub import Hub, SourceUnavailable
from towerws.core.interests import Interests
from towerws.core.metrics import Metrics
from towerws.core.revocation import ROUTING_KEY, Revocation
from towerws.core.throttle import Throttle
from towerws.intake import Intake
from towerws.revocations import Revocations

#: Seconds that a connection must have lived for the next one to be tried without much delay. A
#: broker that closes each connection soon after its start is not to be stormed.
STABLE_AFTER = 30.0


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """How to consume.

    Attributes:
        exchange: The topic exchange that backends publish to.
        prefetch: Events that the broker may send ahead of their acknowledgement. Enough that a
            read never waits for an acknowledgement, few enough to bound what is in memory.
        max_event: The largest event, in bytes; larger ones are counted and dropped.
        retry_at_first: Seconds between the first attempt to connect and the second; longer after
            each. Up to a second of jitter is added, lest all nodes come at once.
        retry_at_most: The longest time between two attempts, without the jitter. Short, because
            clients wait for their events, and a broker that is down refuses a connection at no
            cost.
    """

    exchange: str = "towerws.events"
    prefetch: int = 500
    max_event: int = 1 << 24
    retry_at_first: float = 0.1
    retry_at_most: float = 2.5


class AMQPBridge(Service):
    """Keeps a connection to the broker, and the groups with listeners bound."""

    name = "AMQP bridge"
    _log = Logger()

    def __init__(
        self,
        url: BrokerURL,
        hub: Hub,
        settings: BridgeSettings,
        metrics: Metrics,
        reactor: Any,
        *,
        revocations: Revocations,
        on_resumed: Callable[[], object],
        emits: bool = True,
        connect: Callable[..., Deferred[Client]] = connect,
    ) -> None:
        """Prepare the bridge; it connects when it is started.

        Args:
            url: The broker, or several of one cluster.
            hub: Takes the events.
            settings: How to consume.
            metrics: Where things are counted.
            reactor: Connects and measures time.
            revocations: Takes those.
            on_resumed: Called when it has come into service: what was revoked before may have been
                missed.
            emits: Whether `emit` and `revoke` are to work; else somebody else publishes.
            connect: For tests; see `towerws.amqp.connect.connect`.
        """
        self._hosts = Hosts(url.hosts)
        self._hub = hub
        self._settings = settings
        self._reactor = reactor
        self._connect = partial(connect, url, reactor=reactor, max_body=settings.max_event)
        self._retry_delay = backoffPolicy(settings.retry_at_first, settings.retry_at_most)
        self._interests = Interests()
        self._throttle = Throttle(reactor.seconds)
        self._intake = Intake(hub.heard, revocations, metrics, self._throttle)
        self._on_resumed = on_resumed
        self._consumer: Consumer | None = None
        self._unready: str | None = "not connected to the broker yet"
        self._interrupted = False
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
        if self._emitter is not None:
            self._emitter.startService()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    def stopService(self) -> Deferred[None]:
        """Leave the broker.

        Returns:
            Fires when the connection is closed, within a bounded time.
        """
        super().stopService()
        consumer = self._consumer
        if self._running is not None:
            self._running.cancel()
            self._running = None
        self._unready = "the server stops"
        closing = []
        if self._emitter is not None:
            closing.append(self._emitter.stopService())
        if consumer is not None:
            closing.append(consumer.client.close(within=CLOSE_WITHIN))
        return gatherResults(closing).addCallback(lambda _: None)

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Bind and unbind groups; see `towerws.core.hub.EventSource`."""
        self._interests.change(started, ended)
        if self._consumer is not None:
            self._consumer.unbind(ended)
            self._consumer.bind(started)

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back when the broker has bound all groups; see `towerws.core.hub.EventSource`."""
        self._interests.when_in_force(waiter, names, callback)

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more; see `towerws.core.hub.EventSource`."""
        self._interests.forget(waiter)

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

    async def _run(self) -> None:
        attempt = 0
        while True:
            if await self._serve() >= STABLE_AFTER:
                attempt = 0
            await deferLater(self._reactor, self._retry_delay(attempt))
            attempt += 1

    async def _serve(self) -> float:
        """Try the hosts in turn, and serve with the first that works until it is lost.

        Returns:
            How many seconds a connection lived; 0 if there was none.
        """
        for position, host in enumerate(self._hosts):
            try:
                consumer = await self._open(host)
            except AMQPError as error:
                self._refused(host, error)
                continue
            began = self._reactor.seconds()
            try:
                reason = await consumer.client.when_lost()
            finally:
                self._release(consumer)
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

    async def _open(self, host: Host) -> Consumer:
        client = await self._connect(
            host, connection_name=connection_name("consumer"), on_deliveries=self._delivered
        )
        consumer = Consumer(
            client,
            self._settings.exchange,
            self._settings.prefetch,
            self._reactor,
            self._bound,
        )
        self._consumer = consumer
        try:
            await consumer.start(lambda: (ROUTING_KEY, *self._interests.wanted))
        except BaseException:
            self._release(consumer)
            client.abort("the preparation of the connection failed")
            raise
        self._in_service(consumer, host)
        return consumer

    def _in_service(self, consumer: Consumer, host: Host) -> None:
        self._unready = None
        self._hosts.serving = host
        self._connections.add()
        self._log.info(
            "consuming from the broker at {host}, {groups} groups bound",
            host=_address(host),
            groups=len(self._interests.wanted),
        )
        if self._interrupted:
            # Only now, when all groups are bound again: a client that comes back at once must
            # not wait, and must not miss more. And before any promise of this connection is
            # made: who gets its first one now has missed nothing.
            self._interrupted = False
            self._hub.gap()
        self._on_resumed()
        for name in tuple(consumer.bound):
            self._interests.confirm(name)

    def _bound(self, name: str) -> None:
        if self._unready is None:
            self._interests.confirm(name)

    def _release(self, consumer: Consumer) -> None:
        # One that never came into service promised nothing.
        self._interrupted = self._interrupted or self._unready is None
        self._consumer = None
        consumer.stop()
        self._interests.lose()

    def _delivered(self, deliveries: list[Delivery]) -> None:
        self._hub.publish(self._intake.events(deliveries))
        if self._consumer is not None:
            self._consumer.acknowledge(deliveries)

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._unready = "a fault of the server ended the bridge"
            self._log.failure("the AMQP bridge ended", failure)


def _address(host: Host) -> str:
    return "{}:{}".format(*host)
