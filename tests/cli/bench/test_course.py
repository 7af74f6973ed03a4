"""The course of a load test, with a server and a publisher in memory."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Network, Terminal
from tests.client.memory import ACCEPT, ServerEnd, end, joined
from towerws.cli.bench import course
from towerws.cli.bench.course import LONGEST_WAIT, QUIET, SHORT_WAIT, Course
from towerws.cli.bench.crowd import Crowd
from towerws.cli.bench.lag import LagMeter
from towerws.cli.bench.observations import Observations
from towerws.cli.bench.plan import Plan
from towerws.cli.bench.publishing import Publishing
from towerws.cli.bench.result import Deliveries, Result
from towerws.cli.progress import ProgressLine
from towerws.client import Subscription, Target
from towerws.notify.encoder import encode

SECOND = 1_000_000_000


class PoolInMemory:
    """Threads that do what they are asked for when the test says so.

    Attributes:
        threads: How many there are.
    """

    def __init__(self) -> None:
        self.threads = 0
        self.work: list[Callable[[], None]] = []

    def callInThreadWithCallback(  # noqa: N802
        self, on_result: Callable[[bool, None], None], function: Callable[..., None], *args: object
    ) -> None:
        """Take work."""

        def work() -> None:
            function(*args)
            on_result(True, None)

        self.work.append(work)

    def adjustPoolsize(self, maxthreads: int) -> None:  # noqa: N802
        """Note how much can be done at a time."""
        self.threads = maxthreads

    def run(self) -> None:
        """Do all of it."""
        while self.work:
            self.work.pop()()


class CourseTests(SynchronousTestCase):
    """`Course` opens, publishes, waits and closes."""

    def setUp(self) -> None:
        """Have a test of two connections to one group, with four events."""
        self.network = Network(self)
        self.reactor = self.network.reactor
        self.pool = PoolInMemory()
        self.reactor.getThreadPool = lambda: self.pool  # type: ignore[attr-defined]
        self.reactor.callFromThread = lambda call, *args: call(*args)  # type: ignore[attr-defined]
        self.plan = Plan(2, 1, rate=2, seconds=1, warm_up=1, connect_rate=10)
        self.published: list[bytes] = []
        self.terminal = Terminal(tty=True)
        self.servers: list[ServerEnd] = []
        seen = Observations()
        crowd = Crowd(
            self.reactor,
            Target.parse("ws+unix:///run/a.sock"),
            None,
            [Subscription(["b-0"])],
            seen,
            clock=self.now,
        )
        self.publishing = Publishing(
            [lambda _group, payload: self.publish(encode(payload))],
            ["b-0"],
            self.plan,
            self.now,
            self.wait,
        )
        self.result = Result(
            self.plan, "a", seen, self.publishing, LagMeter(self.reactor, lambda: 0)
        )
        line = ProgressLine(self.terminal)
        self.course = Course(self.reactor, self.result, crowd, line, clock=self.now)

    def now(self) -> int:
        """Tell the time."""
        return round((100 + self.reactor.seconds()) * SECOND)

    def wait(self, seconds: float) -> bool:
        """Let the publisher's thread wait."""
        self.reactor.advance(seconds)
        return self.publishing._stopping.is_set()

    def publish(self, payload: bytes) -> None:
        """Deliver to everybody."""
        self.published.append(payload)
        for server in self.servers:
            server.send(payload)

    def begin(self) -> "Deferred[Any]":
        """Run the test until both connections are subscribed."""
        running = Deferred.fromCoroutine(self.course.run())
        self.addCleanup(end, running)
        for _ in range(2):
            server = self.network.accept()
            server.send(ACCEPT, joined("b-0"))
            self.servers.append(server)
            self.reactor.advance(0.1)
        return running

    def finish(self, running: "Deferred[Any]") -> Deliveries:
        """Let the connections be closed; give what became of the events."""
        for server in self.servers:
            server.pump.flush()
        self.successResultOf(running)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return self.result.deliveries

    def test_good(self) -> None:
        """All events arrive; those of the warm-up are not timed."""
        running = self.begin()
        self.pool.run()
        self.assertEqual(self.finish(running), Deliveries(delivered=8))
        self.assertTrue(self.result.ok)
        self.assertEqual(self.result.seen.latency.count, 4)
        self.assertEqual(self.result.per_second, 4)
        self.assertEqual([server.closed for server in self.servers], [1000, 1000])
        self.assertGreater(self.result.meter.lag.count, 0)
        self.assertEqual(self.pool.threads, 1)

    def test_progress(self) -> None:
        """A terminal shows how far it is."""
        running = self.begin()
        self.pool.run()
        self.finish(running)
        shown = [text.rstrip() for text in self.terminal.written.decode().split("\r")]
        for line in (
            "connecting [........................] 0 of 2",
            "connecting [########################] 2 of 2",
            "publishing [############............] 1 of 2 s, 0 deliveries",
            "publishing [########################] 2 of 2 s, 4 deliveries",
        ):
            self.assertIn(line, shown)
        self.assertTrue(self.terminal.written.endswith(b"\n"))

    def test_no_terminal(self) -> None:
        """Without one nothing is shown."""
        self.course._line = ProgressLine(Terminal())
        running = self.begin()
        self.pool.run()
        self.finish(running)
        self.assertEqual(self.terminal.written, b"")

    def test_nobody_subscribed(self) -> None:
        """Nothing is published for nobody."""
        running = Deferred.fromCoroutine(self.course.run())
        for _ in range(2):
            self.network.refuse()
            self.reactor.advance(0.1)
        self.finish(running)
        self.assertEqual((self.published, self.pool.work), ([], []))
        self.assertFalse(self.result.ok)

    def test_lost_event(self) -> None:
        """What does not come is waited for until nothing has come for a while; then it is lost."""
        running = self.begin()
        first, second = self.servers
        self.servers = [first]
        self.pool.run()
        self.servers = [first, second]
        self.reactor.advance(QUIET - 0.1)
        second.send(self.published[0])
        for _ in range(100):
            self.reactor.advance(QUIET / 100)
        self.assertIn(b"waiting for the last events", self.terminal.written)
        self.assertNoResult(running)
        self.reactor.advance(0.2)
        self.assertEqual(self.finish(running), Deliveries(delivered=5, lost=3))
        self.assertFalse(self.result.ok)

    def test_endless_delivery(self) -> None:
        """A server that delivers ever so slowly is not waited for without end."""
        running = self.begin()
        self.patch(course, "QUIET", 2 * LONGEST_WAIT)
        servers, self.servers = self.servers, []
        self.pool.run()
        self.servers = servers
        self.reactor.advance(LONGEST_WAIT - 0.1)
        servers[0].send(self.published[0])
        self.assertNoResult(running)
        self.reactor.advance(0.2)
        self.assertEqual(self.finish(running), Deliveries(delivered=1, lost=7))

    def test_lost_connection(self) -> None:
        """The events of a connection that is gone are lost, and not waited for."""
        running = self.begin()
        self.servers.pop().drop()
        self.pool.run()
        self.assertEqual(self.finish(running), Deliveries(delivered=4, lost=4))

    def test_interrupted_while_publishing(self) -> None:
        """The publisher is asked to stop and waited for; what was published counts."""
        running = self.begin()
        publish = self.publish

        def interrupt(payload: bytes) -> None:
            publish(payload)
            if len(self.published) == 3:
                running.cancel()
                self.assertNoResult(running)

        self.publish = interrupt  # type: ignore[method-assign]
        self.pool.run()
        self.assertEqual(self.finish(running), Deliveries(delivered=6))
        self.assertTrue(self.result.interrupted)

    def test_interrupted_while_connecting(self) -> None:
        """There is a result, too."""
        running = Deferred.fromCoroutine(self.course.run())
        running.cancel()
        self.finish(running)
        self.assertTrue(self.result.interrupted)

    def test_interrupted_while_waiting(self) -> None:
        """What is missing is waited for a little longer."""
        running = self.begin()
        servers, self.servers = self.servers, []
        self.pool.run()
        self.servers = servers
        running.cancel()
        self.assertNoResult(running)
        for _ in range(3):
            self.reactor.advance(SHORT_WAIT / 2)
        self.assertEqual(self.finish(running), Deliveries(lost=8))
