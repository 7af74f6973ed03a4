"""The command line: finds the command and hands it its arguments.

Each command is a module of this package with ``add_arguments`` and ``run``. Only the one that was
asked for is loaded: Twisted and Autobahn take half a second, which ``emit`` in a shell loop must
not pay.
"""

import importlib
import os
import sys
from argparse import REMAINDER, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import towerws
from towerws.cli.errors import INTERRUPTED, UNREAD, CommandError

COMMANDS: Mapping[str, str] = {
    "emit": "publish one event",
    "listen": "print events as they come",
    "replay": "publish a recorded job at its own pace",
    "demo": "server, listener and a recorded job in one go",
    "revoke": "take access away from a user",
    "bench": "put your own installation under load",
}


class Command(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command and its arguments.

        Args:
            parser: The parser of this command alone.
        """
        ...

    def run(self, arguments: Namespace) -> int:
        """Do it.

        Args:
            arguments: What the parser made of the command line.

        Returns:
            The exit status.

        Raises:
            CommandError: It cannot be done; the text says why.
        """
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after ``towerws``; those of this process if not given.

    Returns:
        The exit status: 0 when it was done, 1 when not (standard error says why), 130 after
        Ctrl-C, 141 when nobody reads standard output any more.

    Raises:
        SystemExit: With status 2 after a wrong command line, with 0 after ``--help``.
    """
    chosen = _parser().parse_args(argv)
    try:
        command = cast(Command, importlib.import_module(f"towerws.cli.{chosen.command}"))
        parser = ArgumentParser(prog=f"towerws {chosen.command}", allow_abbrev=False)
        command.add_arguments(parser)
        return command.run(parser.parse_args(chosen.arguments))
    except CommandError as error:
        print(f"towerws {chosen.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_standard_output()
        return UNREAD


def _parser() -> ArgumentParser:
    summary = "\n".join(f"  {name:<8} {what}" for name, what in COMMANDS.items())
    parser = ArgumentParser(
        prog="towerws",
        description="Publish and hear events of a towerws server. The server itself is started "
        "with `twistd --nodaemon towerws`.",
        epilog=f"commands:\n{summary}\n\n`towerws COMMAND --help` says more.",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=towerws.__version__)
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=REMAINDER, metavar="...", help="what it needs")
    return parser


def _forget_standard_output() -> None:
    """Let the interpreter's last flush succeed: whoever read our output (``| head``) is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
