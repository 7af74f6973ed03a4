"""Tests of the private RabbitMQ node: it works, and leaves neither a process nor a file."""

import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.integration.loopback import runs, wait_until
from tests.integration.rabbitmq import RabbitMQNode

#: A process that starts the shared node, tells what belongs to it, and waits to be ended.
_OWNER = """
import time
from tests.integration.loopback import runs, wait_until
from tests.integration.rabbitmq import shared_node
node = shared_node()
assert shared_node() is node
print(node.directory, *node.pids, flush=True)
time.sleep(60)
"""


class RabbitMQNodeTests(TestCase):
    """A node from its first start to its last trace."""

    timeout = 120

    async def test_life(self) -> None:
        """A node survives a kill with its data, and nothing survives its stop."""
        await deferToThread(self._live)

    def _live(self) -> None:
        node = RabbitMQNode(tls=True)
        self.addCleanup(node.stop)
        node.start()
        directory, pids = node.directory, node.pids
        assert directory is not None and node.cafile is not None
        node.ctl("add_vhost", "kept")
        self.assertTrue(Path(node.cafile).is_file())
        with self.assertRaisesRegex(RuntimeError, "running already"):
            node.start()

        node.kill()
        with self.assertRaisesRegex(RuntimeError, "not running"):
            node.kill()
        node.start()
        self.assertIn("kept", node.ctl("list_vhosts"))
        with self.assertRaisesRegex(RuntimeError, "no_such_command"):
            node.ctl("no_such_command")

        pids += node.pids
        node.stop()
        node.stop()
        self.assertEqual([pid for pid in pids if runs(pid)], [])
        self.assertFalse(directory.exists())
        self.assertEqual(node.pids, ())

    async def test_interrupted_owner(self) -> None:
        """Ctrl-C in a test run ends the shared node."""
        await deferToThread(self._end_owner, signal.SIGINT)

    async def test_killed_owner(self) -> None:
        """Even SIGKILL for the test run leaves no node behind."""
        await deferToThread(self._end_owner, signal.SIGKILL)

    def _end_owner(self, by: signal.Signals) -> None:
        RabbitMQNode()  # skips, or fails in CI, where RabbitMQ is not installed
        with subprocess.Popen(
            [sys.executable, "-c", _OWNER],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as owner:
            assert owner.stdout is not None
            directory, *pids = owner.stdout.readline().split()
            self.assertEqual(len(pids), 3)
            owner.send_signal(by)
            owner.wait(30)
        wait_until(lambda: not any(runs(int(pid)) for pid in pids), 30, "processes live")
        wait_until(lambda: not Path(directory).exists(), 5, "files are left")


class MissingRabbitMQTests(SynchronousTestCase):
    """Where RabbitMQ is not installed."""

    def setUp(self) -> None:
        """Hide every executable."""
        self.patch(os, "environ", {"PATH": ""})
        self.patch(sys.modules[RabbitMQNode.__module__], "_SCRIPTS", "/nonexistent")

    def test_skip(self) -> None:
        """At a developer's desk the test is skipped."""
        self.assertRaises(unittest.SkipTest, RabbitMQNode)

    def test_fail(self) -> None:
        """In continuous integration it fails."""
        os.environ["CI"] = "true"
        self.assertRaises(RuntimeError, RabbitMQNode)
