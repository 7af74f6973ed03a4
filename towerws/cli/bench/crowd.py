"""The connections of a load test: opened at a bounded pace, and closed together."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from towerws.cli.bench.observations import Observations, count
from towerws.cli.bench.reading import DirectReading
from towerws.cli.bench.subscriber import NotSubscribed, Subscriber
from towerws.client import Subscription, Target

#: How many connections are being opened at any time: more would only wait in the server's backlog,
#: where the kernel drops them and tries again after a second.
MAX_OPENING = 50

#: How long the handshake and the subscription may take together, in seconds. TCP has the endpoint's
#: bound.
SUBSCRIBE_TIMEOUT = 10.0

#: How much longer than by their pace all connections together may take to open, in seconds.
TOLERANCE = 30.0

#: How long the server may take to close all connections, in seconds.
CLOSE_TIMEOUT = 3.0


class Crowd:
    """Opens connections, each subscribed to one group, the groups in turn.

    Attributes:
        subscribers: Those whose TCP connection was made.
    """

    def __init__(
        self,
        reactor: Any,
        target: Target,
        address: str | None,
        subscriptions: Sequence[Subscription],
        observations: Observations,
        *,
        clock: Callable[[], int],
        subprotocol: str | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            reactor: Timers, and what the target's endpoint connects with.
            target: The server.
            address: The address of its host.
            subscriptions: One for each group.
            observations: Where all connections write what they see.
            clock: The publisher's clock, in nanoseconds.
            subprotocol: The websocket subprotocol to speak; none for profile "awx".
        """
        self.subscribers: list[Subscriber] = []
        self._reactor = reactor
        self._target = target
        self._endpoint = target.endpoint(reactor, address)
        self._subscriptions = subscriptions
        self._seen = observations
        self._clock = clock
        self._subprotocol = subprotocol
        self._reading = DirectReading(reactor)
        self._places = DeferredSemaphore(MAX_OPENING)
        self._opening: set[Deferred[None]] = set()

    async def open(self, connections: int, rate: float) -> None:
        """Open connections, and wait until each is subscribed or has failed.

        Args:
            connections: How many.
            rate: How many to begin with in each second at most.

        Raises:
            CancelledError: It was cancelled; what was only being opened is aborted.
        """
        began = self._reactor.seconds()
        deadline = began + connections / rate + TOLERANCE
        try:
            for number in range(connections):
                await self._places.acquire()
                now = self._reactor.seconds()
                if now > deadline:
                    self._places.release()
                    self._seen.failed["not tried: opening took too long"] += connections - number
                    break
                if (early := began + number / rate - now) > 0:
                    await deferLater(self._reactor, early)
                self._begin(number)
            # All places are free again when nothing is being opened any more. (Cancelling a
            # DeferredList would not be told from its end.)
            for _ in range(self._places.limit):
                await self._places.acquire()
        except CancelledError:
            for opening in list(self._opening):
                opening.cancel()
            raise

    async def close(self) -> None:
        """Close all connections; those that the server leaves open are aborted."""
        remaining = [each for each in self.subscribers if not each.gone.called]
        for subscriber in remaining:
            subscriber.leave()

        def abort() -> None:
            for subscriber in remaining:
                if not subscriber.gone.called:
                    subscriber.abort()

        timer = self._reactor.callLater(CLOSE_TIMEOUT, abort)
        await DeferredList([each.gone for each in remaining])
        if timer.active():
            timer.cancel()
        self._reading.stop()

    def _begin(self, number: int) -> None:
        group = number % len(self._subscriptions)
        opening = Deferred.fromCoroutine(self._subscribe(group))
        self._opening.add(opening)

        def ended(result: object) -> object:
            self._opening.discard(opening)
            self._places.release()
            return result

        opening.addBoth(ended)
        opening.addErrback(lambda ended: ended.trap(CancelledError, ConnectingCancelledError))

    async def _subscribe(self, group: int) -> None:
        subscriber = Subscriber(
            self._target,
            self._subscriptions[group],
            group,
            self._seen,
            self._clock,
            subprotocol=self._subprotocol,
        )
        try:
            await self._endpoint.connect(Factory.forProtocol(lambda: subscriber))
        except (ConnectError, ConnectionLost) as error:
            count(self._seen.failed, f"cannot connect: {error}".rstrip("."))
            return
        self.subscribers.append(subscriber)
        timer = self._reactor.callLater(SUBSCRIBE_TIMEOUT, subscriber.give_up)
        try:
            await subscriber.ready
        except NotSubscribed:
            # Counted by the connection itself, which knows why.
            pass
        else:
            self._reading.adopt(subscriber)
        finally:
            if timer.active():
                timer.cancel()
