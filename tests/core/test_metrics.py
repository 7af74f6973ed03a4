"""Tests of the counters and gauges."""

import json

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.metrics import Counter, Family, Metrics, render


class CounterTests(SynchronousTestCase):
    """A counter grows."""

    def test_counts(self) -> None:
        """It starts at nothing, and grows by one or by more."""
        counter = Counter()
        self.assertEqual(counter.value, 0)
        counter.add()
        counter.add(41)
        self.assertEqual(counter.value, 42)


class MetricsTests(SynchronousTestCase):
    """Metrics are found by name and labels, and rendered for Prometheus."""

    def test_same_name_same_counter(self) -> None:
        """Whoever asks for the same name and labels, in any order, counts together."""
        metrics = Metrics()
        first = metrics.counter("a_total", "A.", kind="x", why="y")
        self.assertIs(metrics.counter("a_total", "A.", why="y", kind="x"), first)
        self.assertIsNot(metrics.counter("a_total", "A.", kind="x"), first)
        self.assertIsNot(metrics.counter("a_total", "A."), first)
        self.assertIsNot(metrics.counter("b_total", "B.", kind="x", why="y"), first)

    def test_render(self) -> None:
        """The text has the families in the order of registration, each with all its series."""
        metrics = Metrics()
        metrics.counter("frames_total", "Frames.", result="good").add(2)
        depth = [3.5]
        metrics.gauge("depth", "Bytes that wait.", lambda: depth[0])
        metrics.counter("frames_total", "Frames.", why="long", result="bad").add()
        metrics.counter("plain_total", "Plain.")
        expected = """\
# HELP frames_total Frames.
# TYPE frames_total counter
frames_total{result="good"} 2
frames_total{result="bad",why="long"} 1
# HELP depth Bytes that wait.
# TYPE depth gauge
depth %s
# HELP plain_total Plain.
# TYPE plain_total counter
plain_total 0
"""
        self.assertEqual(metrics.render(), expected % 3.5)
        depth[0] = 4
        self.assertEqual(metrics.render(), expected % 4)

    def test_gauge_of_a_successor(self) -> None:
        """A gauge that is registered again is read where it was registered last."""
        metrics = Metrics()
        metrics.gauge("depth", "Bytes.", lambda: 1)
        metrics.gauge("depth", "Bytes.", lambda: 2)
        self.assertEqual(metrics.render(), "# HELP depth Bytes.\n# TYPE depth gauge\ndepth 2\n")

    def test_gauge_with_labels(self) -> None:
        """A gauge may be several series."""
        metrics = Metrics()
        metrics.gauge("depth", "Bytes.", lambda: 1, pool="p1")
        metrics.gauge("depth", "Bytes.", lambda: 2, pool="p2")
        self.assertEqual(
            metrics.render(),
            '# HELP depth Bytes.\n# TYPE depth gauge\ndepth{pool="p1"} 1\ndepth{pool="p2"} 2\n',
        )


class FamilyTests(SynchronousTestCase):
    """What several processes have counted becomes one page."""

    def _collected(self, value: int) -> list[Family]:
        metrics = Metrics()
        metrics.counter("frames_total", "Frames.", why="long").add(value)
        metrics.gauge("depth", "Bytes.", lambda: value)
        return metrics.collect()

    def test_collect(self) -> None:
        """Values are those of the moment."""
        self.assertEqual(
            self._collected(2),
            [
                Family("frames_total", "counter", "Frames.", [({"why": "long"}, 2)]),
                Family("depth", "gauge", "Bytes.", [({}, 2)]),
            ],
        )

    def test_json(self) -> None:
        """A family travels as JSON."""
        for family in self._collected(2):
            self.assertEqual(Family.from_json(json.loads(json.dumps(family.as_json()))), family)

    def test_render_of_several(self) -> None:
        """Each name is announced once, with the samples of all; labels tell whose they are."""
        families = [
            family.labelled(worker=str(number))
            for number in (1, 2)
            for family in self._collected(number)
        ]
        expected = """\
# HELP depth Bytes.
# TYPE depth gauge
depth 7
depth{worker="1"} 1
depth{worker="2"} 2
# HELP frames_total Frames.
# TYPE frames_total counter
frames_total{worker="1",why="long"} 1
frames_total{worker="2",why="long"} 2
"""
        own = Family("depth", "gauge", "Bytes.", [({}, 7)])
        self.assertEqual(render([own, *families]), expected)
        self.assertEqual(own.labelled(a="b").samples, [({"a": "b"}, 7)])
        self.assertEqual(own.samples, [({}, 7)])
