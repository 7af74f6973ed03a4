"""`towerws.option_table`; tests/test_options.py has its options in use."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.option_table import PARAMETERS


class TableTests(SynchronousTestCase):
    """What all options have in common."""

    def test_rows(self) -> None:
        """A name of its own, no letter, and a sentence; defaults are what the check takes."""
        names = [row[0] for row in PARAMETERS]
        self.assertEqual(len(names), len(set(names)))
        for name, letter, default, text, *coerce in PARAMETERS:
            self.assertIsNone(letter)
            self.assertTrue(text.endswith("."), name)
            for check in coerce:
                self.assertEqual(check(str(default)), default)
