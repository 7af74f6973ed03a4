"""`towerws.feeds.classic`: the queue has dropped events."""

from typing import Any

from twisted.logger import capturedLogs, formatEvent

from tests.bridge_case import LOST, BridgeCase
from tests.fake_broker import delivery
from towerws.core.history import Kind
from towerws.feeds.overflow import QUIET


class OverflowTests(BridgeCase):
    """A dead letter is the news that events were dropped, and no event."""

    def setUp(self) -> None:
        """Connect, and subscribe somebody."""
        super().setUp()
        self.client = self.start()
        self.connection, _ = self.subscribe("jobs-1")

    def _overflow(self, *tags: int) -> None:
        """Let events come with these delivery tags, and dead letters for negative ones."""
        feed: Any = self.bridge._feed
        dropped = feed._dropped_key
        self.attempts[-1].deliver(
            *(delivery(tag) if tag > 0 else delivery(-tag, dropped) for tag in tags)
        )

    def test_gap(self) -> None:
        """All are told why, nobody can go on from before, and the event is not delivered."""
        position = self.hub.history.position
        self._overflow(-1)
        self.clock.advance(QUIET)
        (why,) = self.connection.gaps
        self.assertIn("the broker, which dropped events", why)
        self.assertEqual(self.connection.messages, [])
        self.assertEqual(self.counted("towerws_gaps_total"), 1)
        self.assertEqual(self.counted("towerws_queue_overflows_total"), 1)
        history = self.hub.history
        self.assertEqual(history.start(position, ["jobs-1"]).kind, Kind.NOWHERE)
        self.assertEqual(history.start(history.position, ["jobs-1"]).kind, Kind.MEMORY)

    def test_among_events(self) -> None:
        """The gap stands where the first dead letter stood, another behind the last one."""
        seen: list[int] = []
        self.connection.on_gap = lambda: seen.append(len(self.connection.messages))
        self._overflow(7, 8, -9, 10, -11, 12)
        self.assertEqual(seen, [2])
        self.clock.advance(QUIET)
        self.assertEqual(seen, [2, 4])
        self.assertEqual(self.client.acks, [(1, 12, True)])

    def test_before_service(self) -> None:
        """It is counted; nothing was promised yet, so nothing was missed."""
        self.client.lose(LOST)
        self.clock.advance(1)
        self.client = self.accept("queue_bind")
        self._overflow(-1)
        self.assertEqual(self.counted("towerws_queue_overflows_total"), 1)
        self.client.reply_to("queue_bind")
        self.assertEqual(len(self.connection.gaps), 1)
        self.assertIn("connection", self.connection.gaps[0])

    def test_after_the_end(self) -> None:
        """What comes when the connection is given up changes nothing, and leaves no timer."""
        self.bridge.stopService()
        self._overflow(-1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connection.gaps, [])

    def test_loss(self) -> None:
        """What is still to be told is told before the news of the lost connection."""
        self._overflow(-1, 2, -3)
        self.client.lose(LOST)
        self.assertEqual((len(self.connection.gaps), len(self.connection.messages)), (2, 1))
        self.clock.advance(1)
        self.accept()
        self.assertEqual(len(self.connection.gaps), 3)

    def test_log(self) -> None:
        """One line in a minute, without what was dropped."""
        with capturedLogs() as logs:
            for tag in range(1, 30):
                self._overflow(-tag)
                self.clock.advance(QUIET)
        (line,) = [formatEvent(event) for event in logs]
        self.assertEqual(line, "too slow: the broker dropped events")
