"""`towerws.feeds.classic`: the queue has dropped events."""

from twisted.logger import capturedLogs, formatEvent

from tests.bridge_case import LOST, BridgeCase
from tests.fake_broker import delivery
from towerws.amqp.dead_letters import NOTICE_EVERY
from towerws.core.history import Kind


class OverflowTests(BridgeCase):
    """A dead letter is the news that events were dropped, and no event."""

    def setUp(self) -> None:
        """Connect, and subscribe somebody."""
        super().setUp()
        self.client = self.start()
        self.connection, _ = self.subscribe("jobs-1")

    def _overflow(self, tag: int, *before: int) -> None:
        dead_letter = delivery(tag, channel=2)
        self.attempts[-1].deliver(*(delivery(each) for each in before), dead_letter)

    def test_gap(self) -> None:
        """All are told why, nobody can go on from before, and the event is not delivered."""
        position = self.hub.history.position
        self._overflow(1)
        (why,) = self.connection.gaps
        self.assertIn("the broker, which dropped events", why)
        self.assertEqual(self.connection.messages, [])
        self.assertEqual(self.counted("towerws_gaps_total"), 1)
        self.assertEqual(self.counted("towerws_queue_overflows_total"), 1)
        history = self.hub.history
        self.assertEqual(history.start(position, ["jobs-1"]).kind, Kind.NOWHERE)
        self.assertEqual(history.start(history.position, ["jobs-1"]).kind, Kind.MEMORY)

    def test_with_events(self) -> None:
        """Events of the same read come first, and are acknowledged on their own channel."""
        seen: list[int] = []
        self.connection.on_gap = lambda: seen.append(len(self.connection.messages))
        self._overflow(1, 7, 8)
        self.assertEqual(seen, [2])
        self.clock.advance(0.05)
        self.assertEqual(self.client.acks, [(1, 8, True)])

    def test_once_a_second(self) -> None:
        """The next one is sent by the broker when this one is acknowledged."""
        self._overflow(1)
        self.clock.advance(NOTICE_EVERY - 0.01)
        self.assertEqual(self.client.acks, [])
        self.clock.advance(0.01)
        self.assertEqual(self.client.acks, [(2, 1, False)])
        self._overflow(2)
        self.assertEqual(len(self.connection.gaps), 2)
        self.assertEqual(self.counted("towerws_queue_overflows_total"), 2)

    def test_before_service(self) -> None:
        """It is counted; nothing was promised yet, so nothing was missed."""
        self.client.lose(LOST)
        self.clock.advance(1)
        self.client = self.accept("basic_consume")
        self._overflow(1)
        self.assertEqual(self.counted("towerws_queue_overflows_total"), 1)
        self.assertEqual(self.connection.gaps, [])
        self.client.reply_to("basic_consume")
        self.assertEqual(len(self.connection.gaps), 1)
        self.assertIn("connection", self.connection.gaps[0])

    def test_after_the_end(self) -> None:
        """What comes when the connection is given up changes nothing, and leaves no timer."""
        self.bridge.stopService()
        self._overflow(1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connection.gaps, [])

    def test_loss(self) -> None:
        """What is to be acknowledged is forgotten with its connection."""
        self._overflow(1)
        self.client.lose(LOST)
        self.clock.advance(1)
        self.accept()
        self.clock.advance(NOTICE_EVERY)
        self.assertEqual(self.client.acks, [])

    def test_log(self) -> None:
        """One line in a minute, without what was dropped."""
        with capturedLogs() as logs:
            for tag in range(1, 30):
                self._overflow(tag)
                self.clock.advance(NOTICE_EVERY)
        (line,) = [formatEvent(event) for event in logs]
        self.assertEqual(line, "too slow: the broker dropped events")
