"""The rivals' own virtual environment, which `make bench` makes, and its versions."""

import subprocess
from pathlib import Path

from benchmarks.rivals import Unavailable

ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = ROOT / ".venv-bench"
PYTHON = _ENVIRONMENT / "bin" / "python"

_TELL = """
import platform, sys
from importlib.metadata import version
print(f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in sys.argv[1:]), sep=", ")
"""


def require_packages(*names: str) -> str:
    """Make sure that packages are installed in the rivals' environment.

    Args:
        *names: As on PyPI.

    Returns:
        Their versions, and Python's.

    Raises:
        Unavailable: One is missing; the reason is what installing it ended with, where it is known.
    """
    if not PYTHON.exists():
        raise Unavailable("there is no .venv-bench, which `make bench` makes")
    told = subprocess.run(
        [PYTHON, "-c", _TELL, *names], capture_output=True, text=True, timeout=60, check=False
    )
    if told.returncode:
        failure = _ENVIRONMENT / f"failed-{names[0]}"
        last = failure.read_text(errors="replace").strip() if failure.exists() else told.stderr
        reason = last.strip().splitlines() or ["no reason was given"]
        raise Unavailable(f"{names[0]} could not be installed: {reason[-1]}")
    return told.stdout.strip()
