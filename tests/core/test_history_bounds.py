"""`towerws.core.history`: how much is kept, and what shows it."""

from tests.core.history_case import HistoryCase
from tests.hubs import position
from tests.metrics import read_sample
from towerws.core.event_log import EVENT_BYTES, GROUP_BYTES
from towerws.core.history import Bounds


class BoundsTests(HistoryCase):
    """How much is kept."""

    def test_events(self) -> None:
        """The number; what is over it goes with one part in 256 more."""
        history = self.local(Bounds(events=512))
        self.publish(history, "a" * 512)
        self.assertEqual(self.evicted("events"), 0)
        self.publish(history, "a")
        self.assertEqual(self.evicted("events"), 3)
        self.assertEqual(read_sample(self.metrics, "towerws_history_events"), 510)

    def test_bytes(self) -> None:
        """Payloads and what keeps them."""
        history = self.local(Bounds(bytes=GROUP_BYTES + 2 * (EVENT_BYTES + 100)))
        self.publish(history, "aa", 100)
        self.assertEqual(self.evicted("bytes"), 0)
        self.publish(history, "a", 100)
        self.assertEqual((self.evicted("bytes"), self.evicted("events")), (2, 0))
        self.assertEqual(
            read_sample(self.metrics, "towerws_history_bytes"), GROUP_BYTES + EVENT_BYTES + 100
        )

    def test_too_large(self) -> None:
        """What no bound has room for is forgotten at once, and the rest goes on."""
        history = self.local(Bounds(bytes=GROUP_BYTES + EVENT_BYTES + 9))
        self.publish(history, "a", 500)
        self.assertEqual(read_sample(self.metrics, "towerws_history_events"), 0)
        self.assertEqual(self.offsets(history, position(0), "a"), "nowhere")
        self.assertEqual(self.offsets(history, history.position, "a"), [])
        self.publish(history, "a", 5)
        self.assertEqual(self.offsets(history, position(1), "a"), [2])

    def test_nothing(self) -> None:
        """Bounds of 0 keep nothing, and positions are right all the same."""
        for bounds in (Bounds(bytes=0), Bounds(events=0)):
            history = self.local(bounds)
            self.publish(history, "aa")
            self.assertEqual(self.offsets(history, position(2), "a"), [])
            self.assertEqual(self.offsets(history, position(1), "a"), "nowhere")

    def test_age(self) -> None:
        """What has become too old goes, when asked and when something comes."""
        history = self.local(Bounds(seconds=100.0))
        self.publish(history, "a")
        self.clock.advance(40)
        self.publish(history, "aa")
        self.assertEqual(read_sample(self.metrics, "towerws_history_seconds"), 40)
        self.clock.advance(59)
        history.expire()
        self.assertEqual(self.evicted("seconds"), 0)
        self.clock.advance(1)
        history.expire()
        self.assertEqual(self.evicted("seconds"), 1)
        self.assertEqual(read_sample(self.metrics, "towerws_history_seconds"), 60)
        self.clock.advance(40)
        self.publish(history, "a")
        self.assertEqual(self.evicted("seconds"), 3)
        self.assertEqual(self.offsets(history, position(3), "a"), [4])
        self.clock.advance(100)
        history.expire()
        self.assertEqual(read_sample(self.metrics, "towerws_history_events"), 0)
        self.assertEqual(read_sample(self.metrics, "towerws_history_seconds"), 0)
        self.assertEqual(self.offsets(history, position(4), "a"), [])

    def test_age_after_others(self) -> None:
        """What other bounds have forgotten does not count as old, nor twice."""
        history = self.local(Bounds(events=1, seconds=100.0))
        self.publish(history, "a")
        self.clock.advance(50)
        self.publish(history, "a")
        self.assertEqual(read_sample(self.metrics, "towerws_history_seconds"), 0)
        self.clock.advance(60)
        history.expire()
        self.assertEqual(self.evicted("seconds"), 0)
        self.clock.advance(40)
        history.expire()
        self.assertEqual(self.evicted("seconds"), 1)
