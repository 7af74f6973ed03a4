"""`towerws.core.replaying`: what replays count, as operators see it."""

from twisted.trial.unittest import SynchronousTestCase

from tests.metrics import read_sample
from towerws.core.metrics import Metrics
from towerws.core.replaying import ReplayCounters


class ReplayCountersTests(SynchronousTestCase):
    """The names are part of the interface."""

    def test_names(self) -> None:
        """Each counter is shown under a name of its own."""
        metrics = Metrics()
        counters = ReplayCounters(metrics)
        names = {
            'towerws_resumes_total{result="memory"}': counters.memory,
            'towerws_resumes_total{result="archive"}': counters.archive,
            'towerws_resumes_total{result="refused"}': counters.refused,
            "towerws_replays_overtaken_total": counters.overtaken,
            "towerws_replays_cut_short_total": counters.cut_short,
            "towerws_replayed_events_total": counters.events,
        }
        for count, counter in enumerate(names.values(), 1):
            counter.add(count)
        for count, name in enumerate(names, 1):
            self.assertEqual(read_sample(metrics, name), count)
