"""The server as a daemon that cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

_ROOT = Path(__file__).resolve().parent.parent.parent


class TwistdTests(SynchronousTestCase):
    """`twistd` where it does not start: a sentence, status 1, nothing left behind."""

    def _twistd(self, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        """Run twistd in a directory of its own; both are given back."""
        directory = Path(self.mktemp())
        directory.mkdir()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TOWERWS_")
        } | {"PYTHONPATH": str(_ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", *arguments],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        # Should it have started in the background after all, it must not stay.
        for pidfile in directory.glob("*.pid"):
            if done.returncode == 0:
                os.kill(int(pidfile.read_text(encoding="ascii")), signal.SIGTERM)
        return done, directory

    def test_port_in_use_of_a_daemon(self) -> None:
        """The same in the background: the parent knows, and the next start finds no stale file."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            done, directory = self._twistd("towerws", f"--listen={endpoint}", "--operations=none")
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot listen on", done.stderr)
            pidfile = directory / "twistd.pid"
            # The daemon tells its parent first, and tidies up then.
            deadline = time.monotonic() + 10
            while pidfile.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        self.assertFalse(pidfile.exists())
        log = (directory / "twistd.log").read_text(encoding="utf-8")
        self.assertNotIn("Traceback", log)
