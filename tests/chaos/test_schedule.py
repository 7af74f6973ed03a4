"""A seed decides which fault comes when."""

import itertools

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.schedule import Fault, Where, draw

_ALL = list(Fault)


class DrawTests(SynchronousTestCase):
    """What is drawn for one place."""

    def test_seed_decides(self) -> None:
        """The same seed gives the same faults; another one, or another place, gives others."""
        first, again, other = (
            list(itertools.islice(draw(Where.SERVERS, _ALL, 2, seed), 30)) for seed in (1, 1, 2)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_each_in_turn(self) -> None:
        """Every fault of the place comes once before one comes again, and no other."""
        for where in Where:
            possible = {fault for fault in Fault if fault.where is where}
            drawn = draw(where, _ALL, 2, 7)
            for _ in range(3):
                turn = [step.fault for step in itertools.islice(drawn, len(possible))]
                self.assertEqual((set(turn), len(turn)), (possible, len(possible)))

    def test_bounds(self) -> None:
        """Everything that is drawn is within its bounds."""
        for step in itertools.islice(draw(Where.BROKER, _ALL, 2, 3), 100):
            self.assertTrue(0 < step.pause < 20 and 0 <= step.seconds < 20, step)
            self.assertTrue(0 < step.share <= 1 and step.server in {0, 1}, step)

    def test_nothing_possible(self) -> None:
        """A place without a fault has none."""
        self.assertEqual(list(draw(Where.SERVERS, [Fault.CUT], 2, 1)), [])
