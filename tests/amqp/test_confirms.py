"""Tests of `towerws.amqp.confirms`."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.confirms import ConfirmLimits, Confirms
from towerws.amqp.deadline import ReplyDeadline
from towerws.amqp.errors import (
    ConnectionAborted,
    ProtocolViolation,
    PublishBlocked,
    PublishOverflow,
    PublishRefused,
)


class ConfirmsTests(SynchronousTestCase):
    """Trap 15: publishes and what the broker says about them."""

    def setUp(self) -> None:
        """Allow three messages of 10 bytes together."""
        self.clock = Clock()
        self.expired: list[float] = []
        deadline = ReplyDeadline(self.clock, 30, lambda: self.expired.append(self.clock.seconds()))
        self.confirms = Confirms(ConfirmLimits(messages=3, size=10), deadline)

    def test_ack(self) -> None:
        """A confirmation is for the message of its number alone."""
        one, two = self.confirms.add(1), self.confirms.add(1)
        self.confirms.settle(2, multiple=False, refused=False)
        self.assertNoResult(one)
        self.assertIsNone(self.successResultOf(two))
        self.confirms.settle(1, multiple=False, refused=False)
        self.assertIsNone(self.successResultOf(one))

    def test_multiple(self) -> None:
        """With ``multiple``, all up to the number are meant; 0 means all."""
        waiting = [self.confirms.add(1) for _ in range(3)]
        self.confirms.settle(2, multiple=True, refused=False)
        self.successResultOf(waiting[0])
        self.successResultOf(waiting[1])
        self.assertNoResult(waiting[2])
        waiting.append(self.confirms.add(1))
        self.confirms.settle(0, multiple=True, refused=False)
        self.successResultOf(waiting[2])
        self.successResultOf(waiting[3])

    def test_nack(self) -> None:
        """A refusal fails what it is about."""
        waiting = self.confirms.add(1)
        self.confirms.settle(1, multiple=False, refused=True)
        self.failureResultOf(waiting, PublishRefused)

    def test_unknown(self) -> None:
        """A confirmation of what does not wait is a breach of protocol."""
        waiting = self.confirms.add(1)
        for tag, multiple in ((2, False), (0, False)):
            with self.assertRaises(ProtocolViolation):
                self.confirms.settle(tag, multiple=multiple, refused=False)
        self.confirms.settle(1, multiple=False, refused=False)
        self.successResultOf(waiting)
        with self.assertRaises(ProtocolViolation):
            self.confirms.settle(1, multiple=True, refused=False)

    def test_limits(self) -> None:
        """Trap 26: neither too many messages nor too many bytes of them may wait."""
        self.confirms.check(10)
        self.assertRaises(PublishOverflow, self.confirms.check, 11)
        waiting = [self.confirms.add(2) for _ in range(3)]
        with self.assertRaisesRegex(PublishOverflow, "3 messages of 6 bytes"):
            self.confirms.check(0)
        self.confirms.settle(3, multiple=False, refused=False)
        self.confirms.check(6)
        self.assertRaises(PublishOverflow, self.confirms.check, 7)
        self.confirms.settle(2, multiple=True, refused=False)
        self.confirms.check(10)
        for each in waiting:
            self.successResultOf(each)

    def test_given_up(self) -> None:
        """Messages given up are still under way: they count, and their confirmations are taken."""
        waiting = [self.confirms.add(2) for _ in range(3)]
        reason = PublishBlocked("an alarm")
        self.confirms.give_up(reason)
        for each in waiting:
            self.assertIs(self.failureResultOf(each).value, reason)
        self.assertRaises(PublishOverflow, self.confirms.check, 0)
        self.clock.advance(3600)
        self.assertEqual(self.expired, [])
        self.confirms.give_up(reason)
        self.confirms.settle(2, multiple=True, refused=True)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        later = self.confirms.add(5)
        self.confirms.settle(3, multiple=False, refused=False)
        self.assertNoResult(later)
        self.confirms.settle(4, multiple=False, refused=False)
        self.successResultOf(later)
        self.confirms.check(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        with self.assertRaises(ProtocolViolation):
            self.confirms.settle(3, multiple=False, refused=False)

    def test_end_after_giving_up(self) -> None:
        """The end of the connection tells those who still wait, and nobody twice."""
        self.failureResultOf(self._given_up(), PublishBlocked)
        waiting = self.confirms.add(1)
        self.confirms.fail(ConnectionAborted("test"))
        self.failureResultOf(waiting, ConnectionAborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def _given_up(self) -> Deferred[None]:
        waiting = self.confirms.add(1)
        self.confirms.give_up(PublishBlocked("an alarm"))
        return waiting

    def test_end_of_the_connection(self) -> None:
        """All that wait get to know why."""
        waiting = [self.confirms.add(1), self.confirms.add(1)]
        reason = ConnectionAborted("test")
        self.confirms.fail(reason)
        for each in waiting:
            self.assertIs(self.failureResultOf(each).value, reason)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Who gives up waiting does not disturb the numbering."""
        one, two = self.confirms.add(1), self.confirms.add(1)
        one.addErrback(lambda _: None)
        one.cancel()
        self.confirms.settle(1, multiple=False, refused=False)
        self.confirms.settle(2, multiple=False, refused=False)
        self.successResultOf(two)

    def test_silence(self) -> None:
        """The time for confirmations begins anew with each that comes, and ends with the last."""
        one, two = self.confirms.add(1), self.confirms.add(1)
        self.clock.advance(20)
        self.confirms.settle(1, multiple=False, refused=False)
        self.clock.advance(29)
        self.assertEqual(self.expired, [])
        self.clock.advance(1)
        self.assertEqual(self.expired, [50])
        self.confirms.settle(2, multiple=False, refused=False)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(one)
        self.successResultOf(two)
