"""What is left of a test run that was killed: nothing."""

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.guard import Guard
from tests.integration.loopback import runs, wait_until

#: A process that starts two commands, notes them, and waits to be killed.
_OWNER = """
import subprocess, sys, time
from pathlib import Path
from tests.integration.guard import Guard
guard = Guard(Path(sys.argv[1]))
alone = subprocess.Popen(["sleep", "60"])
group = subprocess.Popen(
    ["sh", "-c", "sleep 60 & echo $!; wait"],
    start_new_session=True, stdout=subprocess.PIPE, text=True,
)
member = group.stdout.readline().strip()
guard.note(alone.pid, -group.pid)
print(guard.pid, alone.pid, group.pid, member, flush=True)
time.sleep(60)
"""


class GuardTests(SynchronousTestCase):
    """A guard, and those whom it outlives."""

    def setUp(self) -> None:
        """Make a directory to be removed."""
        self.directory = Path(tempfile.mkdtemp(prefix="towerws-guard-"))

    def test_killed_owner(self) -> None:
        """Processes and groups are killed, the directory is removed, and the guard ends."""
        with subprocess.Popen(
            [sys.executable, "-c", _OWNER, str(self.directory)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        ) as owner:
            assert owner.stdout is not None
            pids = [int(pid) for pid in owner.stdout.readline().split()]
            self.assertTrue(all(map(runs, pids)))
            owner.kill()
        wait_until(lambda: not any(map(runs, pids)), 10, "processes live")
        self.assertFalse(self.directory.exists())

    def test_end(self) -> None:
        """In the end the directory is removed, and no process is touched."""
        with subprocess.Popen(["sleep", "60"]) as process:
            self.addCleanup(process.kill)
            guard = Guard(self.directory)
            guard.note(process.pid)
            guard.end()
            self.assertFalse(self.directory.exists())
            self.assertFalse(runs(guard.pid))
            self.assertTrue(runs(process.pid))
            process.kill()
