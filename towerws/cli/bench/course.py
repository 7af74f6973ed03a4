"""The course of a load test: open, publish, wait for what is under way, close."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThreadPool

from towerws.cli.bench.crowd import Crowd
from towerws.cli.bench.result import Deliveries, Result
from towerws.cli.bench.subscriber import Subscriber
from towerws.cli.progress import ProgressLine, bar

_SECOND = 1_000_000_000

#: Events that have not come count as lost when nothing has come for so long, in seconds, ...
QUIET = 3.0

#: ... or after so long in any case, in seconds.
LONGEST_WAIT = 60.0

#: After Ctrl-C somebody sits before it and waits, in seconds.
SHORT_WAIT = 2.0

#: How often to look whether everything has come, and to show progress, in seconds.
_LOOK_EVERY = 0.05
_SHOW_EVERY = 0.2


class Course:
    """Runs a load test, once."""

    def __init__(
        self,
        reactor: Any,
        result: Result,
        crowd: Crowd,
        line: ProgressLine,
        *,
        clock: Callable[[], int],
    ) -> None:
        """Begin with nothing yet.

        Args:
            reactor: Timers, and the threads for the publisher.
            result: What will come out.
            crowd: The connections.
            line: Shows how far it is.
            clock: The publisher's clock, in nanoseconds.
        """
        self._reactor = reactor
        self._result = result
        self._crowd = crowd
        self._line = line
        self._clock = clock

    async def run(self) -> None:
        """Run the test; when it is cancelled, it ends early and is marked as interrupted."""
        result = self._result
        try:
            await self._open()
            if result.seen.subscribed.count:
                await self._publish()
                await self._wait_for_the_last(LONGEST_WAIT)
        except CancelledError:
            result.interrupted = True
            await self._wait_for_the_last(SHORT_WAIT)
        self._line.end()
        result.deliveries = Deliveries.of(self._crowd.subscribers, result.published)
        await self._crowd.close()

    async def _open(self) -> None:
        plan, seen = self._result.plan, self._result.seen

        def progress() -> str:
            done = seen.subscribed.count + seen.failed.total()
            return f"connecting {bar(done / plan.connections)} {done:,} of {plan.connections:,}"

        with self._showing(progress):
            await self._crowd.open(plan.connections, plan.connect_rate)

    async def _publish(self) -> None:
        plan, seen, published = self._result.plan, self._result.seen, self._result.published
        began = self._clock()
        seen.begin = began + round(plan.warm_up * _SECOND)

        def progress() -> str:
            seconds = (self._clock() - began) / _SECOND
            return (
                f"publishing {bar(seconds / plan.duration)} {seconds:.0f} of {plan.duration:g} s, "
                f"{seen.latency.count:,} deliveries"
            )

        pool = self._reactor.getThreadPool()
        pool.adjustPoolsize(maxthreads=plan.parts)
        done = gatherResults(
            deferToThreadPool(self._reactor, pool, published.run, publisher, began)
            for publisher in range(plan.parts)
        )
        # A thread cannot be cancelled, but asked to stop.
        gate: Deferred[None] = Deferred()

        def passed(outcome: object) -> object:
            gate.callback(None)
            return outcome

        done.addBoth(passed)
        self._result.meter.start()
        try:
            with self._showing(progress):
                await gate
        except CancelledError:
            published.stop()
            raise
        finally:
            self._result.meter.stop()
            await done
            seen.end = self._clock()

    async def _wait_for_the_last(self, seconds: float) -> None:
        """Wait until all living connections have everything, nothing comes any more, or so long."""
        began = heard = self._reactor.seconds()
        received = -1
        with self._showing(lambda: "waiting for the last events"):
            while any(map(self._waits, self._crowd.subscribers)):
                now = self._reactor.seconds()
                if received != (received := self._received()):
                    heard = now
                if now - began >= seconds or now - heard >= QUIET:
                    return
                await deferLater(self._reactor, _LOOK_EVERY)

    def _waits(self, subscriber: Subscriber) -> bool:
        living = subscriber.subscribed and not subscriber.gone.called
        return living and self._result.published.missing(subscriber.group, subscriber.tally) > 0

    def _received(self) -> int:
        return sum(subscriber.tally.received for subscriber in self._crowd.subscribers)

    @contextmanager
    def _showing(self, text: Callable[[], str]) -> Iterator[None]:
        """Show how far something is while it lasts."""
        if not self._line:
            yield
            return
        show = LoopingCall(lambda: self._line.show(text()))
        show.clock = self._reactor
        show.start(_SHOW_EVERY)
        try:
            yield
            self._line.show(text())
        finally:
            show.stop()
