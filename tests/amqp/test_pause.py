"""Tests of `towerws.amqp.pause`."""

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.pause import ENOUGH, MIN_PREFETCH, PAUSE, SEVERAL, ReadPause


class ReadPauseTests(SynchronousTestCase):
    """When a transport rests."""

    def setUp(self) -> None:
        """Read from a transport."""
        self.clock = Clock()
        self.transport = StringTransport()
        self.pause = ReadPause(self.clock)
        self.pause.allow(MIN_PREFETCH)

    def _read(self, deliveries: int, size: int = 1000) -> bool:
        """Read once, and tell whether the transport is paused then."""
        self.pause.received(size)
        self.pause.consider(self.transport, deliveries)
        return self.transport.producerState == "paused"

    def test_single_events(self) -> None:
        """Events that come one by one, or few at a time, are never delayed."""
        for deliveries in (1, SEVERAL - 1) * 10:
            self.assertFalse(self._read(deliveries))

    def test_burst(self) -> None:
        """Several at once are followed by a pause that is not prolonged by what comes meanwhile."""
        self.assertTrue(self._read(SEVERAL))
        self.clock.advance(PAUSE * 0.9)
        self.assertTrue(self._read(SEVERAL))
        self.clock.advance(PAUSE * 0.1)
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self._read(SEVERAL))

    def test_small_prefetch(self) -> None:
        """A broker that may send little ahead would only wait for the end of the pause."""
        for prefetch in (MIN_PREFETCH - 1, 1):
            self.pause.allow(prefetch)
            self.assertFalse(self._read(SEVERAL))
        self.pause = ReadPause(self.clock)
        self.assertFalse(self._read(SEVERAL))

    def test_much_at_once(self) -> None:
        """A read that brought enough is followed by the next one without a pause."""
        self.assertTrue(self._read(SEVERAL, ENOUGH - 1))
        self.clock.advance(PAUSE)
        self.assertFalse(self._read(SEVERAL, ENOUGH))

    def test_reads_do_not_add_up(self) -> None:
        """What came before counts for nothing, however much it was."""
        for _ in range(100):
            self._read(1)
        self.assertTrue(self._read(SEVERAL))

    def test_pieces_of_one_read(self) -> None:
        """The pieces that come while paused, as they do with TLS, add up and end the pause."""
        self.assertTrue(self._read(SEVERAL, ENOUGH // 2))
        self.assertTrue(self._read(SEVERAL, ENOUGH // 2 - 1))
        self.assertFalse(self._read(SEVERAL, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_end(self) -> None:
        """It can be ended early, and twice."""
        self._read(SEVERAL)
        self.pause.end()
        self.pause.end()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(self.clock.getDelayedCalls(), [])
