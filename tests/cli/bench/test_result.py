"""What came out of a load test."""

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.histogram import Histogram
from towerws.cli.bench.lag import LagMeter
from towerws.cli.bench.observations import Observations
from towerws.cli.bench.plan import Plan
from towerws.cli.bench.publishing import Publishing
from towerws.cli.bench.result import Deliveries, Result, milliseconds
from towerws.cli.bench.subscriber import Subscriber
from towerws.client import Subscription, Target

MILLISECOND = 1_000_000

_PLAN = Plan(connections=2, groups=1, rate=1, seconds=3, warm_up=0)


def result(**observed: Any) -> Result:
    """Make the result of a load test in which all went well, but for what is given."""
    clock = Clock()
    seen = Observations(begin=0, last=3 * 10**9, end=3 * 10**9)
    for _ in range(2):
        seen.opened.add(MILLISECOND)
        seen.subscribed.add(2 * MILLISECOND)
    for _ in range(6):
        seen.latency.add(4 * MILLISECOND)
    publishing = Publishing([], ["b-0"], _PLAN)
    publishing.published, publishing.numbers = 3, [3]
    made = Result(_PLAN, "server:1", seen, publishing, LagMeter(clock, clock.seconds))
    made.deliveries = Deliveries(delivered=6)
    for name, value in observed.items():
        setattr(made, name, value)
    return made


def of(*durations: int) -> Histogram:
    """Make a histogram of milliseconds."""
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration * MILLISECOND)
    return histogram


class MillisecondsTests(SynchronousTestCase):
    """`milliseconds` sums durations up."""

    def test_percentiles(self) -> None:
        """By their usual names, with three digits."""
        durations = Histogram()
        durations.add(1_234_567)
        names = ["p50", "p99", "p99.9", "max"]
        self.assertEqual(milliseconds(durations), dict.fromkeys(names, 1.235))
        self.assertEqual(milliseconds(Histogram()), dict.fromkeys(names))


class DeliveriesTests(SynchronousTestCase):
    """`Deliveries.of` compares what was published with what came."""

    def test_comparison(self) -> None:
        """Each connection counts for its own group; those never subscribed count for nothing."""
        publishing = Publishing([], ["b-0", "b-1"], Plan(groups=2))
        publishing.numbers, publishing.unpublished = [4, 2], [[3], []]
        subscribers = [
            Subscriber(Target("h", 1, "/"), Subscription(["b-0"]), group, Observations(), lambda: 0)
            for group in (0, 1, 0)
        ]
        for subscriber, numbers in zip(subscribers, ([1, 0, 0], [0], []), strict=True):
            subscriber.subscribed = bool(numbers)
            for number in numbers:
                subscriber.tally.take(number)
        found = Deliveries.of(subscribers, publishing)
        self.assertEqual(found, Deliveries(delivered=3, lost=2, duplicated=1, reordered=1))


class ResultTests(SynchronousTestCase):
    """`Result` draws conclusions."""

    def test_good(self) -> None:
        """Nothing lost, nothing to note."""
        good = result()
        self.assertTrue(good.ok)
        self.assertEqual(good.notes, [])
        self.assertEqual(good.per_second, 2)

    def test_bad(self) -> None:
        """Whatever is not as it was to be makes it a failure."""
        for change in (
            {"deliveries": Deliveries(delivered=5, lost=1)},
            {"deliveries": Deliveries(delivered=6, duplicated=1)},
            {"deliveries": Deliveries(delivered=6, reordered=1)},
        ):
            self.assertFalse(result(**change).ok)
        for name, value in (
            ("surplus", 1),
            ("lost", {"x": 1}),
            ("gaps", {"x": 1}),
            ("subscribed", of(1)),
        ):
            bad = result()
            setattr(bad.seen, name, value)
            self.assertFalse(bad.ok, name)
        bad = result()
        bad.published.published = 2
        self.assertFalse(bad.ok)

    def test_nothing_measured(self) -> None:
        """A test that ended before it began has a result, too."""
        nothing = result(seen=Observations(), deliveries=Deliveries())
        self.assertEqual(nothing.per_second, 0)
        self.assertFalse(nothing.ok)
        self.assertEqual(nothing.notes, [])

    def test_rate(self) -> None:
        """Late deliveries lower the rate; few of them do not raise it."""
        for last, end, rate in ((6, 3, 1), (1, 3, 2), (3, 1, 2)):
            timed = result()
            timed.seen.last, timed.seen.end = last * 10**9, end * 10**9
            self.assertEqual(timed.per_second, rate)

    def test_busy_generator(self) -> None:
        """A load generator at its end is told, lest somebody blame the server."""
        busy = result()
        busy.meter._cpu_used, busy.meter._seconds = 0.89, 1
        self.assertEqual(busy.notes, [])
        busy.meter._cpu_used = 0.95
        self.assertIn("used 95% of a core: it was the bottleneck", busy.notes[0])

    def test_late_generator(self) -> None:
        """So is one that did not get the CPU; lags that do not matter are not told."""
        late = result()
        for lag, latency, told in ((3, 4, True), (3, 20, False), (1, 1, False), (9, 20, True)):
            late.meter.lag, late.seen.latency = of(lag), of(latency)
            self.assertEqual(["was late by up to" in note for note in late.notes], [True] * told)

    def test_slow_publishing(self) -> None:
        """Publishing behind its schedule is told."""
        slow = result()
        slow.published.behind = of(100)
        self.assertEqual(slow.notes, [])
        slow.published.behind, slow.published.confirm = of(1500), of(7)
        (note,) = slow.notes
        self.assertIn("publishing was up to 1,500 ms behind its schedule (p99)", note)
        self.assertIn("a publisher waits 7.0 ms (p50) for each confirmation", note)

    def test_other_notes(self) -> None:
        """Errors, odd frames, and two URLs that do not belong together."""
        odd = result(deliveries=Deliveries(lost=6))
        odd.seen.errors["no"] = 2
        odd.seen.surplus = 3
        first, second, third = odd.notes
        self.assertEqual(first, "the server says: no (2x)")
        self.assertIn("nothing arrived: do --url and --ws-url", second)
        self.assertIn("3 frames", third)

    def test_document(self) -> None:
        """Everything is in the document, and JSON has a form for it."""
        document = json.loads(json.dumps(result(interrupted=True).document(), allow_nan=False))
        self.assertEqual(
            (document["ok"], document["interrupted"], document["server"]), (True, True, "server:1")
        )
        self.assertEqual((document["plan"]["connections"], document["plan"]["profile"]), (2, "awx"))
        self.assertEqual(document["connections"]["gaps"], {})
        self.assertEqual(document["connections"]["subscribed_ms"]["p99"], 2)
        self.assertEqual(document["events"]["published"], 3)
        deliveries = document["deliveries"]
        self.assertEqual((deliveries["expected"], deliveries["delivered"]), (6, 6))
        self.assertEqual(deliveries["per_second"], 2)
        self.assertEqual(deliveries["latency_ms"]["p99.9"], 4)
        self.assertEqual(document["generator"]["cpu_share"], 0)
