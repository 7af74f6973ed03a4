"""What ends the processes of a test run that was killed, and removes their files."""

import subprocess
from pathlib import Path

#: Reads until the pipe ends, then kills what is noted as running and removes the directory.
_SCRIPT = 'cat >/dev/null; kill -s KILL -- $(cat "$1/processes") 2>/dev/null; rm -rf "$1"'

#: How long removing a directory may take, in seconds.
_PATIENCE = 20.0


class Guard:
    """A shell that outlives this process, even one that is killed, for a moment only.

    Attributes:
        pid: The shell's process id.
    """

    def __init__(self, directory: Path) -> None:
        """Begin to watch.

        Args:
            directory: Will be removed; has the file ``processes`` from now on.
        """
        self._directory = directory
        self.note()
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "guard", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.pid = self._shell.pid

    def note(self, *processes: int) -> None:
        """Say what runs now, and is to be killed.

        Args:
            *processes: Process ids; with a minus, those of process groups.
        """
        (self._directory / "processes").write_text(" ".join(map(str, processes)))

    def end(self) -> None:
        """Remove the directory. Nothing is killed: all has ended, and numbers are given anew."""
        self.note()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(_PATIENCE)
