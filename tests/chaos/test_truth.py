"""What the broker had, from the publishers' word and from the stream's."""

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos import truth
from tests.chaos.publishing import Publication

#: Number 1 was confirmed at the second attempt.
_RECORD = {
    "g": [
        Publication(0, 1.0, 1.1),
        Publication(1000, 2.0, None),
        Publication(1001, 3.0, 3.1),
        Publication(2000, 4.0, 4.1),
    ]
}


class RecordTests(SynchronousTestCase):
    """The classic mode, in which nobody knows what a queue had."""

    def test_confirmed_is_due(self) -> None:
        """What was confirmed is due; what was not may have got through."""
        known = truth.of_record(_RECORD)
        due = [(entry.key, entry.is_due) for entry in known.published["g"].entries]
        self.assertEqual(due, [(0, True), (1000, False), (1001, True), (2000, True)])


class StreamTests(SynchronousTestCase):
    """The stream mode, in which everybody can read again."""

    def test_what_is_there_is_due(self) -> None:
        """All that the stream has is due, in its order, confirmed or not."""
        known = truth.of_stream(_RECORD, {"g": [0, 1000, 1001, 2000]})
        entries = known.published["g"].entries
        self.assertEqual([entry.key for entry in entries], [0, 1000, 1001, 2000])
        self.assertTrue(all(entry.is_due for entry in entries))
        self.assertEqual((known.lost_by_broker, known.doubled_by_broker), ([], 0))

    def test_faults_of_the_broker(self) -> None:
        """What the broker confirmed and lost, and what it doubled, is told apart."""
        known = truth.of_stream(_RECORD, {"g": [0, 1001, 1001]})
        self.assertEqual(known.lost_by_broker, [("g", 2000)])
        self.assertEqual(known.doubled_by_broker, 1)
        nothing = truth.of_stream(_RECORD, {})
        self.assertEqual(len(nothing.lost_by_broker), 3)
