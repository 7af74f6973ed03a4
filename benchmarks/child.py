"""A server of others as a process of its own, with a directory that goes with it."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.integration.guard import Guard
from tests.integration.loopback import end_group, wait_until

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 10.0


class Child:
    """A process group and its directory; neither outlives the process that started them.

    Attributes:
        directory: For configuration and data; what the process writes is in ``log``.
    """

    def __init__(self, name: str) -> None:
        """Make the directory.

        Args:
            name: Part of the directory's name.
        """
        self.directory = Path(tempfile.mkdtemp(prefix=f"towerws-bench-{name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = Guard(self.directory)

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] = {},
        ready: Callable[[], bool],
    ) -> Self:
        """Run a command until `stop`, and wait until it works.

        Args:
            command: It has to stay in the foreground.
            environment: Variables beside the inherited ones.
            ready: Tells whether it works.

        Raises:
            RuntimeError: It ended, or took longer than a minute. It is stopped then.
        """
        assert self._guard is not None, "it was stopped already"
        try:
            with (self.directory / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=self.directory,
                    env=os.environ | environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            process = self._process
            self._guard.note(-process.pid)
            wait_until(
                lambda: process.poll() is not None or ready(),
                _START_TIMEOUT,
                f"{command[0]} does not work",
            )
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended")
        except BaseException as error:
            error.add_note(self.last_words())
            self.stop()
            raise
        return self

    def last_words(self) -> str:
        """Give the end of what the process wrote."""
        log = self.directory / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def stop(self) -> None:
        """End the process group, by force after 10 s, and remove the directory. Idempotent."""
        if self._process is not None:
            end_group(self._process, _STOP_TIMEOUT)
            # What the leader has left behind.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None
        if self._guard is not None:
            self._guard.end()
            self._guard = None
