"""The command line as a whole."""

import io
import os
import subprocess
import sys
from argparse import Namespace
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

import towerws
from towerws.cli import emit, main
from towerws.cli.errors import CommandError


class MainTests(SynchronousTestCase):
    """`main` finds the command, and turns its end into an exit status."""

    def setUp(self) -> None:
        """Catch what is printed."""
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)

    def exit_status(self, *argv: str) -> object:
        """Run a command that argparse ends."""
        return self.assertRaises(SystemExit, main.main, argv).code

    def run_command(self, outcome: object) -> int:
        """Run ``emit`` with a body that returns or raises the outcome."""
        self.patch(emit, "run", mock.Mock(side_effect=[outcome]))
        return main.main(["emit", "jobs-summary", "{}"])

    def test_help(self) -> None:
        """The help lists every command."""
        self.assertEqual(self.exit_status("--help"), 0)
        for command, summary in main.COMMANDS.items():
            self.assertIn(f"{command} ", self.stdout.getvalue())
            self.assertIn(summary, self.stdout.getvalue())

    def test_version(self) -> None:
        """The version is the package's."""
        self.assertEqual(self.exit_status("--version"), 0)
        self.assertEqual(self.stdout.getvalue().strip(), towerws.__version__)

    def test_help_of_commands(self) -> None:
        """Each command has a help of its own, under its own name."""
        for command in main.COMMANDS:
            self.assertEqual(self.exit_status(command, "--help"), 0)
            self.assertIn(f"usage: towerws {command}", self.stdout.getvalue())

    def test_wrong_command_line(self) -> None:
        """No command, an unknown one, and wrong arguments: status 2 and a sentence."""
        for argv, sentence in (
            ((), "required: COMMAND"),
            (("fly",), "invalid choice: 'fly'"),
            (("emit", "jobs-summary"), "required: JSON"),
            (("listen", "jobs"), "jobs has no hyphen"),
            (("listen", "jobs-summary", "--co", "3"), "unrecognized arguments: --co"),
        ):
            self.assertEqual(self.exit_status(*argv), 2)
            self.assertIn(sentence, self.stderr.getvalue())

    def test_status(self) -> None:
        """What the command returns is the status."""
        self.assertEqual(self.run_command(7), 7)

    def test_command_error(self) -> None:
        """What cannot be done is told in one line, with status 1."""
        self.assertEqual(self.run_command(CommandError("the server is away")), 1)
        self.assertEqual(self.stderr.getvalue(), "towerws emit: the server is away\n")

    def test_interrupted(self) -> None:
        """Ctrl-C ends quietly."""
        self.assertEqual(self.run_command(KeyboardInterrupt()), 130)
        self.assertEqual(self.stderr.getvalue(), "")

    def test_arguments_reach_the_command(self) -> None:
        """Options behind the command's name are the command's, in any order."""
        seen: list[Namespace] = []

        def run(arguments: Namespace) -> int:
            seen.append(arguments)
            return 0

        self.patch(emit, "run", run)
        main.main(["emit", "--url", "http://x", "jobs-summary", "{}"])
        self.assertEqual((seen[0].group, seen[0].url), ("jobs-summary", "http://x"))

    def test_closed_pipe(self) -> None:
        """A reader that has enough, as ``head``, ends it quietly, even at the last flush."""
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stdout:
            self.patch(sys, "stdout", stdout)
            stdout.write("more")
            self.assertEqual(self.run_command(BrokenPipeError()), 141)


class ImportTests(SynchronousTestCase):
    """Only what a command needs is loaded."""

    def test_emit_does_without_twisted(self) -> None:
        """``emit`` loads neither Twisted nor Autobahn, which take half a second."""
        code = "import sys, towerws.cli.main, towerws.cli.emit; print('twisted' in sys.modules)"
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        self.assertEqual(found.stdout.strip(), b"False")
