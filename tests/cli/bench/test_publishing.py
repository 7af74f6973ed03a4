"""The pace of the publisher."""

from collections.abc import Container

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.plan import Plan
from towerws.cli.bench.publishing import Publishing
from towerws.cli.bench.tally import Tally
from towerws.notify import EmitError

GROUPS = ("a-0", "a-1")
SECOND = 1_000_000_000


class PublishingTests(SynchronousTestCase):
    """`Publishing` keeps to its schedule, with a clock that only waiting and publishing move."""

    def setUp(self) -> None:
        """Publish into memory."""
        self.clock = Clock()
        self.sent: list[tuple[float, str, str]] = []
        self.cost = 0.0
        self.fails: Container[int] = ()

    def now(self) -> int:
        """Tell the time."""
        return round((1000 + self.clock.seconds()) * SECOND)

    def wait(self, seconds: float) -> bool:
        """Let time pass."""
        self.clock.advance(seconds)
        return self.publishing._stopping.is_set()

    def emit(self, group: str, payload: dict[str, object]) -> None:
        """Publish an event, which takes its time."""
        self.sent.append((round(self.clock.seconds(), 6), group, str(payload["bench"])[:10]))
        self.clock.advance(self.cost)
        if len(self.sent) - 1 in self.fails:
            raise EmitError("away")

    def publish(self, **plan: float) -> Publishing:
        """Publish according to a plan."""
        whole = Plan(groups=2, **{"warm_up": 0, **plan})  # type: ignore[arg-type]
        self.publishing = Publishing([self.emit], GROUPS, whole, self.now, self.wait)
        self.publishing.run(0, self.now())
        return self.publishing

    def test_pace(self) -> None:
        """Groups take turns at an even pace; events are numbered in each; it ends on time."""
        publishing = self.publish(rate=1, seconds=2)
        self.assertEqual(
            self.sent,
            [
                (0, "a-0", "0000000000"),
                (0.5, "a-1", "0000000000"),
                (1, "a-0", "0000000001"),
                (1.5, "a-1", "0000000001"),
            ],
        )
        self.assertEqual((publishing.published, publishing.numbers), (4, [2, 2]))
        self.assertEqual((publishing.confirm.count, publishing.behind.largest), (4, 0))
        self.assertEqual(self.clock.seconds(), 2)

    def test_moment(self) -> None:
        """Events carry the moment right before they are published."""
        self.publishing = Publishing(
            [lambda _group, payload: moments.append(str(payload["bench"])[11:])],
            GROUPS,
            Plan(groups=2, rate=1, seconds=1, warm_up=0),
            self.now,
            self.wait,
        )
        moments: list[str] = []
        self.publishing.run(0, self.now())
        self.assertEqual([int(moment) for moment in moments], [1000 * SECOND, 1000.5 * SECOND])

    def test_bursts(self) -> None:
        """The events of a burst are published without a pause, as seldom as the rate has it."""
        self.publish(rate=4, seconds=2, burst=4)
        self.assertEqual([at for at, *_ in self.sent], [0] * 4 + [0.5] * 4 + [1] * 4 + [1.5] * 4)
        self.assertEqual([group for _, group, _ in self.sent], (["a-0"] * 4 + ["a-1"] * 4) * 2)

    def test_publishers(self) -> None:
        """Each publishes to groups of its own, when their turn comes."""
        by: list[list[str]] = [[], []]
        groups = [f"a-{number}" for number in range(3)]
        self.publishing = Publishing(
            [lambda group, _payload: by[0].append(group), lambda group, _: by[1].append(group)],
            groups,
            Plan(groups=3, rate=1, seconds=2, warm_up=0),
            self.now,
            self.wait,
        )
        for publisher in (1, 0):
            self.publishing.run(publisher, self.now())
            self.assertEqual(self.publishing.behind.largest, 0)
        self.assertEqual(by, [["a-0", "a-2"] * 2, ["a-1"] * 2])
        self.assertEqual((self.publishing.published, self.publishing.numbers), (6, [2] * 3))

    def test_no_drift(self) -> None:
        """The time that publishing takes does not add up."""
        self.cost = 0.25
        publishing = self.publish(rate=1, seconds=2)
        self.assertEqual([at for at, *_ in self.sent], [0, 0.5, 1, 1.5])
        self.assertEqual(publishing.confirm.percentile(100), SECOND // 4)

    def test_behind(self) -> None:
        """What does not fit into the time, and a second more, is not published."""
        self.cost = 1.5
        publishing = self.publish(rate=1, seconds=2)
        self.assertEqual([at for at, *_ in self.sent], [0, 1.5, 3])
        self.assertEqual(publishing.behind.largest, 2 * SECOND)

    def test_failures(self) -> None:
        """What could not be published is counted by reason, and keeps its number."""
        self.fails = range(1, 3)
        publishing = self.publish(rate=1, seconds=2)
        self.assertEqual(publishing.failures, {"away": 2})
        self.assertEqual(publishing.unpublished, [[1], [0]])
        self.assertEqual((publishing.published, publishing.confirm.count), (2, 2))
        self.assertEqual(publishing.missing(0, Tally()), 1)

    def test_nothing_can_be_published(self) -> None:
        """After half a minute it gives up, but not in a long pause."""
        self.fails = range(1, 1000)
        self.publish(rate=1, seconds=100)
        self.assertEqual(self.sent[-1][0], 30.5)
        self.setUp()
        self.publish(rate=0.01, seconds=150)
        self.assertEqual(len(self.sent), 3)

    def test_passing_trouble(self) -> None:
        """Failures with successes between them are no reason to give up."""
        self.fails = {1, 70}
        self.assertEqual(self.publish(rate=1, seconds=40).published, 78)

    def test_stop(self) -> None:
        """It returns before the next event."""
        emit = self.emit

        def last(group: str, payload: dict[str, object]) -> None:
            emit(group, payload)
            self.publishing.stop()

        self.emit = last  # type: ignore[method-assign]
        self.publish(rate=1, seconds=2)
        self.assertEqual(len(self.sent), 1)

    def test_real_wait(self) -> None:
        """Without a clock of the test's it waits by the real one, and until it is stopped."""
        publishing = Publishing([self.emit], GROUPS, Plan(groups=2))
        publishing.stop()
        publishing.run(0, 0)
        self.assertEqual(self.sent, [])
