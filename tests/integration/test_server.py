"""Tests of the server process that tests use: it works, and leaves neither a process nor a file."""

import subprocess
import sys
from pathlib import Path

from tests.integration.case import ServerCase
from tests.integration.loopback import runs, wait_until
from tests.integration.server import ServerProcess

#: A process that starts a server, tells where it is, and waits to be killed.
_OWNER = """
import time
from tests.integration.server import ServerProcess
server = ServerProcess().start()
print(server.pid, server._directory, flush=True)
time.sleep(60)
"""


class ServerProcessTests(ServerCase):
    """A server from its start to its last trace."""

    def test_life(self) -> None:
        """It runs within the block, and its log can be read behind it."""
        with ServerProcess() as server:
            directory = server._directory
            self.assertTrue(server.running)
            self.assertEqual(server.get("/health")[0], 200)
            self.assertIsNone(server.unready())
            self.assertGreater(server.resident_bytes(), 1 << 20)
        assert directory is not None
        self.assertFalse(directory.exists())
        self.assertFalse(server.running)
        self.assertIn("listening on", server.log())
        self.assertEqual(server.stop(), 0)

    def test_failure(self) -> None:
        """One that cannot start is no riddle."""
        with self.assertRaisesRegex(RuntimeError, "--nonsense"):
            ServerProcess("--nonsense").start()

    def test_killed_owner(self) -> None:
        """Even SIGKILL for the test run leaves no server behind."""
        with subprocess.Popen(
            [sys.executable, "-c", _OWNER],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        ) as owner:
            assert owner.stdout is not None
            pid, directory = owner.stdout.readline().split()
            owner.kill()
        wait_until(lambda: not Path(directory).exists(), 10, "files are left")
        wait_until(lambda: not runs(int(pid)), 10, "the server lives")
