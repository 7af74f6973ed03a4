"""How commands end."""

import signal

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.errors import INTERRUPTED, UNREAD, CommandError


class EndTests(SynchronousTestCase):
    """The ways to end early."""

    def test_statuses(self) -> None:
        """A shell shows the same for programs that Ctrl-C or a closed pipe killed."""
        self.assertEqual(INTERRUPTED, 128 + signal.SIGINT)
        self.assertEqual(UNREAD, 128 + signal.SIGPIPE)

    def test_command_error(self) -> None:
        """An expected failure is no `ValueError` or `OSError`, which bugs raise."""
        self.assertEqual(CommandError.__bases__, (Exception,))
