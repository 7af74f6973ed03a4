"""Tests of `towerws.amqp.heartbeat`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.heartbeat import Heartbeat


class HeartbeatTests(SynchronousTestCase):
    """Trap 23: heartbeats on one timer."""

    def setUp(self) -> None:
        """Make a heartbeat that keeps a record."""
        self.clock = Clock()
        self.sent: list[float] = []
        self.expired: list[float] = []
        self.heartbeat = Heartbeat(self.clock, self._send, self._expire)

    def _send(self) -> None:
        self.sent.append(self.clock.seconds())

    def _expire(self) -> None:
        self.expired.append(self.clock.seconds())
        self.heartbeat.stop()

    def test_sent_at_half_the_interval(self) -> None:
        """An idle connection proves twice an interval that it lives."""
        self.heartbeat.start(20)
        for _ in range(4):
            self.clock.advance(10)
            self.heartbeat.received = True
        self.assertEqual(self.sent, [10, 20, 30, 40])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_not_sent_after_other_frames(self) -> None:
        """What was sent anyway proves as much."""
        self.heartbeat.start(20)
        self.heartbeat.sent = True
        self.clock.advance(10)
        self.assertEqual(self.sent, [])
        self.clock.advance(10)
        self.assertEqual(self.sent, [20])

    def test_silence(self) -> None:
        """A peer that is silent for two intervals is given up, once."""
        self.heartbeat.start(20)
        self.clock.pump([10, 10])
        self.heartbeat.received = True
        self.clock.pump([10] * 4)
        self.assertEqual(self.expired, [])
        self.clock.pump([10] * 4)
        self.assertEqual(self.expired, [70])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_suspended_process(self) -> None:
        """A process that slept for an hour does not blame the broker."""
        self.heartbeat.start(20)
        self.clock.advance(3600)
        self.assertEqual(self.expired, [])

    def test_off(self) -> None:
        """An interval of 0 means no timer at all; stopping is fine then."""
        self.heartbeat.start(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.heartbeat.stop()
        self.assertEqual(self.heartbeat.interval, 0)
