"""`towerws.core.rate`: bursts, and the steady rate behind them."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.rate import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """Two tokens a second, three at most."""

    def setUp(self) -> None:
        """Start at an odd time."""
        self.bucket = TokenBucket(2, 3, 100.0)

    def test_burst(self) -> None:
        """As many as the burst at once, and no more."""
        self.assertEqual([self.bucket.take(100.0) for _ in range(5)], [True] * 3 + [False] * 2)

    def test_rate(self) -> None:
        """Behind the burst, one for each half second; what was refused costs nothing."""
        for _ in range(10):
            self.bucket.take(100.0)
        self.assertEqual(
            [self.bucket.take(100.0 + seconds) for seconds in (0.4, 0.5, 0.9, 1.0, 1.1)],
            [False, True, False, True, False],
        )

    def test_full(self) -> None:
        """A long silence saves no more than a burst."""
        self.bucket.take(100.0)
        self.assertEqual([self.bucket.take(1000.0) for _ in range(4)], [True] * 3 + [False])
