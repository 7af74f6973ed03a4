"""What all connections see."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.observations import count


class CountTests(SynchronousTestCase):
    """`count` keeps a bounded number of sentences of bounded length."""

    def test_sentences(self) -> None:
        """Twenty are told apart; what is known already is counted all the same."""
        counter: Counter[str] = Counter()
        for number in range(25):
            count(counter, f"reason {number}")
        count(counter, "reason 3")
        self.assertEqual(len(counter), 21)
        self.assertEqual((counter["reason 3"], counter["other reasons"]), (2, 5))

    def test_long_sentence(self) -> None:
        """It is cut."""
        counter: Counter[str] = Counter()
        count(counter, "x" * 1000)
        self.assertEqual(counter, {"x" * 200: 1})
