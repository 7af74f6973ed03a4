"""Tests of `towerws.amqp.deadline`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.deadline import ReplyDeadline


class ReplyDeadlineTests(SynchronousTestCase):
    """The bound on silence."""

    def setUp(self) -> None:
        """Make a deadline of ten seconds that counts its expiry."""
        self.clock = Clock()
        self.expired = 0
        self.deadline = ReplyDeadline(self.clock, 10, self._expire)

    def _expire(self) -> None:
        self.expired += 1

    def test_nothing_owed(self) -> None:
        """Time that passes while nothing is owed does not count."""
        self.clock.advance(100)
        self.deadline.progress(outstanding=False)
        self.deadline.progress(outstanding=True)
        self.clock.advance(100)
        self.assertEqual(self.expired, 0)

    def test_expires_once(self) -> None:
        """The first that is owed begins the time; more do not prolong it."""
        self.deadline.expect()
        self.clock.advance(9)
        self.deadline.expect()
        self.clock.advance(1)
        self.assertEqual(self.expired, 1)
        self.clock.advance(100)
        self.assertEqual(self.expired, 1)
        self.deadline.cancel()

    def test_progress(self) -> None:
        """An answer begins the time anew while more are owed."""
        self.deadline.expect()
        self.clock.advance(9)
        self.deadline.progress(outstanding=True)
        self.clock.advance(9)
        self.assertEqual(self.expired, 0)
        self.deadline.progress(outstanding=False)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadline.expect()
        self.clock.advance(10)
        self.assertEqual(self.expired, 1)
