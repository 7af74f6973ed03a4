"""Events by a queue of this process's own, bound to the groups that somebody listens to.

One topic exchange, durable, shared by all; one queue, exclusive and deleted with its connection,
bound once for each group. RabbitMQ sends nothing else. The queue is bounded, by bytes and by time:
what it drops goes to a second queue, and makes a gap.
"""

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from towerws.amqp.bindings import Bindings
from towerws.amqp.client import Client
from towerws.amqp.consumer import TELL_OF_CRASHES, Consumer
from towerws.amqp.dead_letters import (
    consume_dead_letters,
    dead_letter_arguments,
    declare_dead_letters,
)
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError
from towerws.core.hub import Hub
from towerws.core.interests import Interests
from towerws.core.lingering import Lingering
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions
from towerws.core.revocation import ROUTING_KEY
from towerws.core.throttle import Throttle
from towerws.feeds.losses import describe_interruption
from towerws.feeds.overflow import Overflow
from towerws.intake import Intake
from towerws.revocations import Revocations

_CHANNEL = 1

_OVERFLOW = "the server was too slow for the broker, which dropped events"


@dataclass(frozen=True, slots=True)
class ClassicSettings:
    """How to consume from a queue of one's own.

    Attributes:
        exchange: The topic exchange that backends publish to.
        prefetch: Events that the broker may send ahead of their acknowledgement. Enough that a
            read never waits for an acknowledgement, few enough to bound what is in memory.
        linger: Seconds for which a group stays bound without listeners: a client that comes back
            within them, after a reload of its page or a switch of its network, has missed nothing.
        max_lingering: The most groups that stay so; the broker has a binding for each.
        queue_bytes: What may wait at the broker; beyond it the oldest events are dropped. It is in
            the broker's memory, for each process.
        queue_seconds: How long an event may wait there. Nobody wants to see later what was new
            minutes ago, and a process that has been stopped for so long is to go on with the
            present.
    """

    exchange: str = "towerws.events"
    prefetch: int = 500
    linger: float = 60.0
    max_lingering: int = 10_000
    queue_bytes: int = 1 << 26
    queue_seconds: float = 300.0

    def queue_arguments(self) -> dict[str, object]:
        """Give the limits of the queue as its arguments."""
        return {
            "x-max-length-bytes": self.queue_bytes,
            "x-message-ttl": int(self.queue_seconds * 1000),
            "x-overflow": "drop-head",
        }


class ClassicFeed:
    """Brings the events of groups with listeners; see `towerws.feeds.interfaces.Feed`.

    Positions are of this process, which numbers the events that it sees. The history has all of a
    group from the broker's confirmation that it is bound until it is unbound.
    """

    _log = Logger()

    def __init__(
        self,
        hub: Hub,
        positions: LocalPositions,
        settings: ClassicSettings,
        metrics: Metrics,
        clock: IReactorTime,
        *,
        revocations: Revocations,
    ) -> None:
        """Prepare; there is no connection yet.

        Args:
            hub: Takes the events. Its history is partial.
            positions: Those of that history; they number the events.
            settings: How to consume.
            metrics: Where things are counted.
            clock: Measures time.
            revocations: Takes those.
        """
        self._hub = hub
        self._settings = settings
        self._clock = clock
        self._interests = Interests()
        self._throttle = Throttle(clock.seconds)
        self._intake = Intake(lambda _: positions.next(), revocations, metrics, self._throttle)
        self._consumer: Consumer | None = None
        self._bindings: Bindings | None = None
        # The routing key of what the broker has dropped, once there is a queue.
        self._dropped_key = ""
        self._overflow = Overflow(clock, self._tell_overflow)
        self._is_serving = False
        self._interruption: str | None = None
        self._lingering = Lingering(settings.linger, settings.max_lingering)
        self._linger_call: IDelayedCall | None = None
        self._overflows = metrics.counter(
            "towerws_queue_overflows_total",
            "Notices that the broker dropped events from the queue.",
        )
        self._ended_early = metrics.counter(
            "towerws_lingering_groups_ended_total",
            "Groups without listeners that were unbound before their time, being too many.",
        )
        metrics.gauge(
            "towerws_lingering_groups",
            "Groups without listeners that are still bound.",
            lambda: len(self._lingering),
        )

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Bind groups, and let others linger; see `towerws.core.hub.EventSource`."""
        self._interests.change(started, ended)
        if self._bindings is None:
            return
        # In this order: what returns must not make way for what leaves.
        returned = [name for name in started if self._lingering.take(name)]
        self._linger(ended)
        self._bindings.bind(set(started).difference(returned))
        if self._is_serving:
            self._confirm(returned)

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back when the broker has bound all groups; see `towerws.core.hub.EventSource`."""
        self._interests.when_in_force(waiter, names, callback)

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more; see `towerws.core.hub.EventSource`."""
        self._interests.forget(waiter)

    async def begin(self, client: Client) -> None:
        """Declare, bind, consume; see `towerws.feeds.interfaces.Feed`."""
        exchange = self._settings.exchange
        self._consumer = Consumer(client, _CHANNEL, self._settings.prefetch, self._clock)
        channel: Any = await self._consumer.open()
        await channel.exchange_declare(exchange=exchange, type="topic", durable=True)
        self._dropped_key = await declare_dead_letters(channel)
        arguments = self._settings.queue_arguments() | dead_letter_arguments(self._dropped_key)
        declared = await channel.queue_declare(
            queue="", exclusive=True, auto_delete=True, arguments=arguments
        )
        self._bindings = Bindings(channel, exchange, declared.queue, self._bound)
        await self._bindings.begin((ROUTING_KEY, *self._interests.wanted))
        await consume_dead_letters(channel, self._dropped_key)
        # At last: what comes by it comes behind the gap that may have to be told.
        await self._consumer.consume(declared.queue, arguments=TELL_OF_CRASHES)

    def serving(self) -> None:
        """Tell the gap if there is one, then promise events."""
        assert self._bindings is not None, "begin() comes before"
        self._is_serving = True
        bound = tuple(self._bindings.bound)
        # Before the gap, for whoever is told of that goes on from there.
        self._cover(bound)
        if self._interruption is not None:
            # Only now, when all groups are bound again: a client that comes back at once must
            # not wait, and must not miss more.
            why, self._interruption = self._interruption, None
            self._hub.gap(why)
        self._confirm(bound)

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Hand events on, and acknowledge them."""
        dropped = self._dropped_key
        begin = 0
        for place, each in enumerate(deliveries):
            if each.routing_key == dropped:
                self._hub.publish(self._intake.events(deliveries[begin:place]))
                self._overflowed()
                begin = place + 1
        self._hub.publish(self._intake.events(deliveries[begin:]))
        if self._consumer is not None:
            self._consumer.acknowledge(deliveries)

    def lost(self) -> None:
        """Promise nothing any more; what lingered is not bound again, nothing can go on there."""
        self._overflow.end()
        if self._is_serving and self._consumer is not None:
            # One that never came into service promised nothing.
            self._interruption = describe_interruption(self._consumer.client.lost)
        self._is_serving = False
        if self._consumer is not None:
            self._consumer.stop()
            self._consumer = None
        self._give_up_bindings()
        self._interests.lose()

    async def drain(self) -> None:
        """Consume no more: hand on and acknowledge what has come."""
        # The broker deletes a queue that nobody consumes from any more.
        self._give_up_bindings()
        if self._consumer is not None:
            try:
                await self._consumer.cancel()
            except AMQPError as error:
                self._log.warn("the queue could not be drained: {reason}", reason=error)
        self._overflow.end()

    def _bound(self, name: str) -> None:
        if self._is_serving:
            self._cover((name,))
            self._confirm((name,))

    def _cover(self, names: Iterable[str]) -> None:
        for name in names:
            self._hub.history.cover(name)

    def _confirm(self, names: Iterable[str]) -> None:
        for name in names:
            # Whoever is called back may change what is bound.
            if self._bindings is not None and name in self._bindings.bound:
                self._interests.confirm(name)

    def _overflowed(self) -> None:
        self._overflows.add()
        self._throttle.log(self._log.warn, "overflow", "too slow: the broker dropped events")
        if self._is_serving:
            self._overflow.noticed()

    def _tell_overflow(self) -> None:
        self._hub.gap(_OVERFLOW)

    def _linger(self, names: Iterable[str]) -> None:
        now = self._clock.seconds()
        self._lingering.keep(names, now)
        self._unbind(self._lingering.ended(now))
        excess = self._lingering.excess()
        self._ended_early.add(len(excess))
        self._unbind(excess)
        self._await_end()

    def _await_end(self) -> None:
        end = self._lingering.next_end
        if end is not None and self._linger_call is None:
            self._linger_call = self._clock.callLater(
                max(0.0, end - self._clock.seconds()), self._linger_over
            )

    def _linger_over(self) -> None:
        if self._linger_call is not None and self._linger_call.active():
            self._linger_call.cancel()
        self._linger_call = None
        self._unbind(self._lingering.ended(self._clock.seconds()))
        self._await_end()

    def _unbind(self, names: Collection[str]) -> None:
        if self._bindings is not None:
            self._bindings.unbind(names)
            for name in names:
                self._hub.history.uncover(name)

    def _give_up_bindings(self) -> None:
        if self._bindings is not None:
            for name in self._bindings.bound:
                self._hub.history.uncover(name)
            self._bindings = None
        self._lingering.clear()
        self._linger_over()
