"""Tests of the circuit breaker."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.notify.breaker import Breaker


class BreakerTests(SynchronousTestCase):
    """A breaker with pauses from 1 to 30 seconds, and a clock in our hands."""

    def setUp(self) -> None:
        """Start the clock."""
        self.now = 1000.0
        self.breaker = Breaker(1.0, 30.0, lambda: self.now)

    def test_free_at_first(self) -> None:
        """Nothing has failed: attempts are made."""
        self.assertEqual(self.breaker.wait(), 0.0)
        self.assertFalse(self.breaker.tripped)

    def test_pauses(self) -> None:
        """A failure holds off attempts for a second, and then no longer."""
        self.breaker.failed()
        self.assertTrue(self.breaker.tripped)
        self.assertEqual(self.breaker.wait(), 1.0)
        self.now += 0.75
        self.assertEqual(self.breaker.wait(), 0.25)
        self.now += 0.25
        self.assertEqual(self.breaker.wait(), 0.0)
        self.assertTrue(self.breaker.tripped)
        self.now += 100
        self.assertEqual(self.breaker.wait(), 0.0)

    def test_doubles_up_to_the_longest(self) -> None:
        """Failure upon failure, the pauses double and stay at the limit."""
        pauses = []
        for _ in range(8):
            self.breaker.failed()
            pauses.append(self.breaker.wait())
            self.now += pauses[-1]
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 30, 30, 30])

    def test_success_resets(self) -> None:
        """After a success the next pause is the first again."""
        self.breaker.failed()
        self.breaker.failed()
        self.breaker.succeeded()
        self.assertFalse(self.breaker.tripped)
        self.assertEqual(self.breaker.wait(), 0.0)
        self.breaker.failed()
        self.assertEqual(self.breaker.wait(), 1.0)

    def test_without_pauses(self) -> None:
        """With 0 it never holds anything off."""
        breaker = Breaker(0.0, 0.0, lambda: self.now)
        breaker.failed()
        breaker.failed()
        self.assertEqual(breaker.wait(), 0.0)
