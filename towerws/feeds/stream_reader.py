"""Reading a part of the stream, by a connection that is there for that only.

It is closed at the end, with the consumer: whatever happens to one reading harms nobody else.
Opening it takes as long as reading some 100 events.
"""

from collections.abc import Callable
from functools import partial
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from towerws.amqp.client import Client
from towerws.amqp.consumer import Consumer
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import AMQPError
from towerws.amqp.hosts import Host, Hosts
from towerws.amqp.pause import MIN_PREFETCH
from towerws.broker_emitter import CLOSE_WITHIN, connection_name
from towerws.core.history import History
from towerws.core.positions import Mark
from towerws.core.throttle import Throttle
from towerws.feeds.excerpt import Excerpt, Verdict

_CHANNEL = 1

#: Messages that the broker sends ahead of their acknowledgement. So few that reading never pauses,
#: which takes 5 ms for 100 events and 30 for 5,000; more bring next to nothing
#: (benchmarks/replay.py).
_PREFETCH = MIN_PREFETCH - 1

#: Seconds for the event at the mark to come. What is there comes in milliseconds; for an offset
#: that is still to come RabbitMQ waits in silence.
PROOF_WITHIN = 5.0

#: Seconds between two attempts while the broker is away.
RETRY_AFTER = 0.5


class StreamReader:
    """Reads what groups had behind a mark."""

    _log = Logger()

    def __init__(
        self,
        queue: str,
        history: History,
        most_bytes: int,
        clock: IReactorTime,
        *,
        connect: Callable[..., Deferred[Client]],
        hosts: Hosts,
    ) -> None:
        """Prepare; nothing is connected before something is read.

        Args:
            queue: The stream's name.
            history: Goes on where a reading ends.
            most_bytes: Memory that the events of one reading may take.
            clock: Bounds the waiting.
            connect: Opens a connection to a host; takes also what a `Client` is told.
            hosts: The broker's.
        """
        self._queue = queue
        self._history = history
        self._most_bytes = most_bytes
        self._clock = clock
        self._connect = connect
        self._hosts = hosts
        self._throttle = Throttle(clock.seconds)

    async def read(self, mark: Mark, groups: frozenset[str]) -> Excerpt:
        """Read from a mark to where the history goes on.

        Where the broker is away, or has not yet found its stream after a start, which it says in
        the same way as that there is none, this tries again and again: whoever waits is to bound
        that.

        Args:
            mark: From where.
            groups: The names of the groups.

        Returns:
            What was found, with a verdict.
        """
        attempts = count()
        while True:
            # The one that serves the node, most likely; and another if it does not.
            hosts = self._hosts.serving_first()
            host = hosts[next(attempts) % len(hosts)]
            excerpt = Excerpt(mark, groups, self._history, self._most_bytes)
            try:
                await self._attempt(host, excerpt)
            except AMQPError as error:
                self._throttle.log(
                    self._log.warn,
                    "reading",
                    "the stream was not read for a client: {reason}",
                    reason=error,
                )
                await deferLater(self._clock, RETRY_AFTER)
            else:
                return excerpt

    async def _attempt(self, host: Host, excerpt: Excerpt) -> None:
        """Read by one connection until there is a verdict.

        Raises:
            AMQPError: There is no connection, or it was lost.
        """
        judged: Deferred[None] = Deferred()

        def delivered(deliveries: list[Delivery]) -> None:
            excerpt.take(deliveries)
            consumer.acknowledge(deliveries)
            if excerpt.verdict is not None and not judged.called:
                judged.callback(None)

        def expect_proof() -> None:
            if not excerpt.is_proven and not judged.called:
                excerpt.verdict = Verdict.NOT_FOUND
                judged.callback(None)

        client = await self._connect(
            host,
            connection_name=connection_name("replay"),
            on_deliveries=delivered,
        )
        consumer = Consumer(client, _CHANNEL, _PREFETCH, self._clock)
        timer: IDelayedCall | None = None
        try:
            await consumer.open()
            await consumer.consume(self._queue, arguments={"x-stream-offset": excerpt.mark.offset})
            client.when_lost().addCallback(partial(_fail, judged))
            timer = self._clock.callLater(PROOF_WITHIN, expect_proof)
            await judged
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            consumer.stop()
            # Not waited for: it ends by itself, and its deliveries are not looked at any more.
            client.close(within=CLOSE_WITHIN)


def _fail(judged: Deferred[None], reason: AMQPError) -> None:
    if not judged.called:
        judged.errback(reason)
