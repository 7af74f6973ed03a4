"""`towerws.feeds.overflow`."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeConnection, FakeSource
from tests.hubs import PROCESS, make_hub
from towerws.amqp.errors import ConnectionLost
from towerws.core.event import Event
from towerws.core.history import Kind
from towerws.core.positions import LocalPositions
from towerws.feeds.overflow import LONGEST, MOST_BYTES, QUIET, Overflow


class OverflowTests(SynchronousTestCase):
    """A gap, and events behind it."""

    def setUp(self) -> None:
        """Have somebody listen."""
        self.clock = Clock()
        self.positions = LocalPositions(PROCESS)
        self.hub = make_hub(positions=self.positions)
        self.hub.attach(FakeSource(is_prompt=True))
        self.connection = FakeConnection()
        self.hub.subscribe(self.connection, ["a-1"], lambda _: None)
        self.asked: list[Deferred[object]] = []
        self.is_prompt = True
        self.overflow = Overflow(self.hub, self.clock, self.positions.next, self._round_trip)
        self.heard: list[int] = []
        self.connection.on_gap = lambda: self.heard.append(len(self.connection.messages))

    def _round_trip(self) -> Deferred[object]:
        self.asked.append(Deferred())
        if self.is_prompt:
            self.asked[-1].callback(None)
        return self.asked[-1]

    def hand_on(self, *payloads: bytes) -> None:
        """Let events come."""
        self.overflow.hand_on([Event("a-1", each, self.positions.next()) for each in payloads])

    def test_usual(self) -> None:
        """Nothing is dropped: events go on at once."""
        self.hand_on(b"1", b"2")
        self.assertEqual(self.connection.messages, [b"1", b"2"])
        self.overflow.end()
        self.assertEqual((self.connection.gaps, self.clock.getDelayedCalls()), ([], []))

    def test_gap_before_what_follows(self) -> None:
        """What came before the notice is delivered before the gap, what came behind it behind."""
        self.hand_on(b"1")
        position = self.hub.history.position
        self.overflow.noticed()
        self.hand_on(b"7")
        self.clock.advance(QUIET - 0.01)
        self.overflow.noticed()
        self.hand_on(b"9")
        self.clock.advance(QUIET - 0.01)
        self.assertEqual(self.connection.messages, [b"1"])
        self.clock.advance(0.01)
        self.assertEqual(self.heard, [1])
        self.assertIn("the broker, which dropped events", self.connection.gaps[0])
        self.assertEqual(self.connection.messages, [b"1", b"7", b"9"])
        self.hand_on(b"10")
        self.assertEqual(self.connection.messages[-1], b"10")
        history = self.hub.history
        self.assertEqual(history.start(position, ["a-1"]).kind, Kind.NOWHERE)
        self.assertEqual(history.count(history.last - 3, ["a-1"]), 3)

    def test_read_too_late(self) -> None:
        """A dead letter that had come, and was not read in time, counts."""
        self.is_prompt = False
        self.overflow.noticed()
        self.clock.advance(QUIET)
        self.hand_on(b"1")
        self.overflow.noticed()
        self.asked[0].callback(None)
        self.assertEqual(self.connection.gaps, [])
        self.clock.advance(QUIET)
        self.asked[1].callback(None)
        self.assertEqual((self.heard, self.connection.messages), ([0], [b"1"]))

    def test_lost(self) -> None:
        """A question that fails with the connection ends nothing by itself."""
        self.is_prompt = False
        self.overflow.noticed()
        self.clock.advance(QUIET)
        self.overflow.end()
        self.asked[0].errback(ConnectionLost("gone"))
        self.assertEqual(len(self.connection.gaps), 1)

    def test_no_end(self) -> None:
        """A server that stays too slow tells a gap each second, and delivers what it has."""
        for step in range(round(2 * LONGEST / 0.05)):
            self.overflow.noticed()
            self.hand_on(b"%d" % step)
            self.clock.advance(0.05)
        self.assertEqual(len(self.connection.gaps), 2)
        self.assertGreaterEqual(self.heard[1], round(LONGEST / 0.05) - 1)

    def test_too_much(self) -> None:
        """What waits is bounded."""
        self.overflow.noticed()
        self.hand_on(b"x" * (MOST_BYTES // 2))
        self.assertEqual(self.connection.gaps, [])
        self.hand_on(b"x" * (MOST_BYTES // 2))
        self.assertEqual((len(self.connection.gaps), len(self.connection.messages)), (1, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_end(self) -> None:
        """The connection is lost, or the server drains: the gap is told at once."""
        self.overflow.noticed()
        self.hand_on(b"1")
        self.overflow.end()
        self.overflow.end()
        self.assertEqual((self.heard, self.connection.messages), ([0], [b"1"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])
