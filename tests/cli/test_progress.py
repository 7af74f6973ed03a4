"""The line that tells how far a command is."""

import io

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Terminal
from towerws.cli.progress import ProgressLine, bar


class ProgressLineTests(SynchronousTestCase):
    """`ProgressLine` writes one line over and over."""

    def test_terminal(self) -> None:
        """A shorter text leaves nothing of a longer one; the end is written once."""
        terminal = Terminal(tty=True)
        line = ProgressLine(terminal)
        self.assertTrue(line)
        line.show("10 of 20")
        line.show("done")
        line.end()
        line.end()
        self.assertEqual(terminal.written, b"\r10 of 20\rdone    \n")

    def test_pipe(self) -> None:
        """Nobody else sees it."""
        pipe = io.StringIO()
        line = ProgressLine(pipe)
        line.show("10 of 20")
        line.end()
        self.assertFalse(line)
        self.assertEqual(pipe.getvalue(), "")


class BarTests(SynchronousTestCase):
    """`bar` draws."""

    def test_parts(self) -> None:
        """From nothing to all, and no further."""
        drawn = [bar(part, 4) for part in (-1, 0, 0.5, 1, 7)]
        self.assertEqual(drawn, ["[....]", "[....]", "[##..]", "[####]", "[####]"])
