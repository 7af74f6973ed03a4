"""The command line tools as processes, for tests."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.guard import Guard
from tests.integration.loopback import wait_until
from tests.integration.server import clean_environment

_PATIENCE = 20.0

#: The command as users call it, but with this Python.
TOWERWS = (sys.executable, "-m", "towerws")


class Command:
    """A running `towerws` command whose output goes to files."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        """Start it.

        Args:
            *arguments: What comes after ``towerws``.
            **environment: Variables to set.
        """
        self._directory = Path(tempfile.mkdtemp(prefix="towerws-command-"))
        self._guard = Guard(self._directory)
        with contextlib.ExitStack() as files:
            self._process = subprocess.Popen(
                [*TOWERWS, *arguments],
                env=clean_environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=files.enter_context((self._directory / "stdout").open("wb")),
                stderr=files.enter_context((self._directory / "stderr").open("wb")),
                # Ctrl-C is for the whole group of a terminal: for it and its children, not for us.
                start_new_session=True,
            )
        self._guard.note(-self._process.pid)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def stdout(self) -> str:
        """What it wrote on standard output so far."""
        return (self._directory / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """What it wrote on standard error so far."""
        return (self._directory / "stderr").read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has written something, on either stream.

        Args:
            text: What.
            times: How often.

        Raises:
            RuntimeError: It has not, and perhaps never will.
        """
        ended = f"no {text!r}, and the command has not ended"

        def wrote() -> bool:
            return (self.stdout + self.stderr).count(text) >= times

        wait_until(lambda: wrote() or self._process.poll() is not None, _PATIENCE, ended)
        if not wrote():
            raise RuntimeError(f"ended without {text!r}: {self.stdout!r}, {self.stderr!r}")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Wait for its end.

        Returns:
            The exit status.
        """
        return self._process.wait(_PATIENCE)

    def stop(self) -> None:
        """End it and its children, if it still runs, and remove its files."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_PATIENCE)
        self._guard.end()


def run_command(*arguments: str, text: str = "") -> tuple[int, str, str]:
    """Run a command to its end, for a minute at most.

    Args:
        *arguments: What comes after ``towerws``.
        text: Its standard input.

    Returns:
        Its status, standard output and standard error.
    """
    done = subprocess.run(
        [*TOWERWS, *arguments],
        input=text,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
