"""Events by a stream of the broker's, the same for all nodes, which keeps them for a day.

A node reads all of it, and remembers where it was: after an interruption it reads on from there.
That nothing is missing is proven each time, by reading the last message once more: RabbitMQ begins
elsewhere in silence where an offset is not kept any more, and waits in silence for one that is
still to come, as after a stream has been deleted and declared anew.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from math import ceil
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from towerws.amqp.client import Client
from towerws.amqp.consumer import Consumer
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError, ChannelClosed
from towerws.amqp.hosts import Hosts
from towerws.core.hub import Hub
from towerws.core.interests import Interests
from towerws.core.metrics import Metrics
from towerws.core.throttle import Throttle
from towerws.feeds.marks import MarkPublisher, make_mark
from towerws.feeds.track import Track
from towerws.revocations import Revocations

_CHANNEL = 1

#: Seconds in which something must come while the node reads up to its own mark, which is in the
#: stream by then. What is there comes in milliseconds.
SILENCE = 5.0

#: Seconds for all of that. A stream of the default size is read in a minute or two.
CATCH_UP_WITHIN = 300.0

#: RabbitMQ forgets whole segments, and keeps the last one however old: they are to be some, and of
#: a size that is neither a burden to make nor to keep.
_SEGMENTS = 16
_SEGMENT_MIN, _SEGMENT_MAX = 1 << 20, 1 << 26

_NOT_FOUND, _PRECONDITION_FAILED = 404, 406


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How to consume from the stream.

    Attributes:
        exchange: The topic exchange that backends publish to; the stream is named after it.
        prefetch: Events that the broker may send ahead of their acknowledgement. Enough that a
            read never waits for an acknowledgement, few enough to bound what is in memory.
        stream_bytes: How much the broker keeps, about.
        stream_seconds: How long it keeps that, at least; longer where little is published.
        warm_up: Seconds of the past that a node reads when it starts, so that clients that come
            back to it are served from memory.
    """

    exchange: str = "towerws.events"
    prefetch: int = 500
    stream_bytes: int = 1 << 30
    stream_seconds: float = 86400.0
    warm_up: float = 60.0

    @property
    def queue(self) -> str:
        """The stream's name."""
        return f"{self.exchange}.stream"

    def queue_arguments(self) -> dict[str, object]:
        """Say what kind of queue it is, and how much it keeps."""
        segment = self.stream_bytes // _SEGMENTS
        return {
            "x-queue-type": "stream",
            "x-max-length-bytes": self.stream_bytes,
            "x-max-age": _interval(self.stream_seconds),
            "x-stream-max-segment-size-bytes": min(max(segment, _SEGMENT_MIN), _SEGMENT_MAX),
        }

    @property
    def warm_up_offset(self) -> str:
        """Say where a node begins that has read nothing yet, as an ``x-stream-offset``."""
        return _interval(self.warm_up) if self.warm_up > 0 else "next"


class StreamFeed:
    """Brings all events of the stream; see `towerws.feeds.interfaces.Feed`.

    Groups are in force as soon as the node has read up to its own mark, and at once from then on.
    """

    _log = Logger()

    def __init__(
        self,
        hub: Hub,
        settings: StreamSettings,
        metrics: Metrics,
        clock: IReactorTime,
        *,
        revocations: Revocations,
        connect: Callable[..., Deferred[Client]],
        hosts: Hosts,
    ) -> None:
        """Prepare; there is no connection yet.

        Args:
            hub: Takes the events. Its history is of all groups, with `StreamPositions`.
            settings: How to consume.
            metrics: Where things are counted.
            clock: Measures time.
            revocations: Takes those.
            connect: Opens a connection to a host, to publish marks by; see `MarkPublisher`.
            hosts: The broker's.
        """
        self._settings = settings
        self._clock = clock
        self._interests = Interests()
        self._track = Track(hub, revocations, metrics, Throttle(clock.seconds))
        self._marks = MarkPublisher(connect, hosts, settings.exchange, clock)
        self._consumer: Consumer | None = None
        self._is_serving = False
        # False while the stream is there with other arguments than ours.
        self._declares = True
        self._caught_up: Deferred[None] | None = None
        self._watching: IDelayedCall | None = None

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Take note; all groups come anyway. See `towerws.core.hub.EventSource`."""
        self._interests.change(started, ended)
        if self._is_serving:
            self._confirm(started)

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back when the node has caught up; see `towerws.core.hub.EventSource`."""
        self._interests.when_in_force(waiter, names, callback)

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more; see `towerws.core.hub.EventSource`."""
        self._interests.forget(waiter)

    async def begin(self, client: Client) -> None:
        """Declare, bind, consume, catch up; see `towerws.feeds.interfaces.Feed`."""
        self._consumer = Consumer(client, _CHANNEL, self._settings.prefetch, self._clock)
        channel: Any = await self._consumer.open()
        queue, exchange = self._settings.queue, self._settings.exchange
        await channel.exchange_declare(exchange=exchange, type="topic", durable=True)
        await self._declare(channel)
        await channel.queue_bind(queue=queue, exchange=exchange, routing_key="#")
        mark, caught_up = make_mark(), Deferred[None]()
        self._caught_up = caught_up
        begin_at = self._track.begin(mark, self._settings.warm_up_offset)
        await self._consumer.consume(queue, arguments={"x-stream-offset": begin_at})
        # Only now: from wherever the stream is read, this is still to come.
        await self._marks.publish(mark)
        await self._catch_up(client, caught_up)

    def serving(self) -> None:
        """Promise events; a gap was told when the first event behind it came."""
        self._is_serving = True
        self._log.info(
            "read the stream {queue} up to offset {offset}",
            queue=self._settings.queue,
            offset=self._track.last,
        )
        self._confirm(tuple(self._interests.wanted))

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Hand events on, and acknowledge them."""
        self._track.take(deliveries)
        if self._consumer is not None:
            self._consumer.acknowledge(deliveries)
        # At the very end: whoever waits for it makes promises.
        if self._caught_up is not None and self._track.has_caught_up:
            caught_up, self._caught_up = self._caught_up, None
            caught_up.callback(None)

    def lost(self) -> None:
        """Promise nothing any more, but remember where to go on."""
        self._is_serving = False
        self._caught_up = None
        self._stop_watching()
        if self._consumer is not None:
            self._consumer.stop()
            self._consumer = None
        self._interests.lose()

    async def drain(self) -> None:
        """Consume no more: hand on and acknowledge what has come."""
        if self._consumer is not None:
            try:
                await self._consumer.cancel()
            except AMQPError as error:
                self._log.warn("the stream could not be drained: {reason}", reason=error)

    def _confirm(self, names: Collection[str]) -> None:
        for name in names:
            self._interests.confirm(name)

    async def _declare(self, channel: Any) -> None:
        """Declare the stream, or use it as it is; the connection is lost when we find out."""
        queue = self._settings.queue
        try:
            if self._declares:
                arguments = self._settings.queue_arguments()
                await channel.queue_declare(queue=queue, durable=True, arguments=arguments)
            else:
                await channel.queue_declare(queue=queue, passive=True)
        except ChannelClosed as error:
            if error.code == _PRECONDITION_FAILED and self._declares:
                self._declares = False
                self._log.warn(
                    "the stream {queue} was declared with other arguments, and is used as it is",
                    queue=queue,
                )
            elif error.code == _NOT_FOUND:
                self._declares = True
            raise

    async def _catch_up(self, client: Client, caught_up: Deferred[None]) -> None:
        """Wait until the mark is read, for as long as there is something to read before it.

        Raises:
            AMQPError: It does not come, or the connection was lost.
        """

        def fail(reason: AMQPError) -> None:
            if not caught_up.called:
                caught_up.errback(reason)

        client.when_lost().addCallback(fail)
        self._watch(client, self._clock.seconds() + CATCH_UP_WITHIN)
        try:
            await caught_up
        finally:
            self._stop_watching()

    def _watch(self, client: Client, until: float, taken: int = -1) -> None:
        """Drop a connection by which nothing more comes."""
        track = self._track
        if taken == track.taken and track.is_unproven:
            track.give_up()
            client.abort("the stream ends before where this server has been")
        elif taken == track.taken or self._clock.seconds() >= until:
            client.abort("the server's own mark did not come by the stream")
        else:
            self._watching = self._clock.callLater(SILENCE, self._watch, client, until, track.taken)

    def _stop_watching(self) -> None:
        if self._watching is not None and self._watching.active():
            self._watching.cancel()
        self._watching = None


def _interval(seconds: float) -> str:
    """Write a time as RabbitMQ's streams take it: in whole seconds, not less than asked for."""
    return f"{ceil(seconds)}s"
