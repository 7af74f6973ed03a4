"""Tests of the package `towerws.notify` as a backend imports it."""

import atexit
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import towerws.notify
from towerws.notify import EmitError, Publisher, Unreachable, emit_channel_notification

_ROOT = Path(__file__).resolve().parent.parent

_LOADS = """
import sys
from towerws.notify import Publisher
Publisher("http://127.0.0.1:1")
print(*(sys.modules.keys() & {"pika", "twisted", "django"}))
Publisher("amqp://127.0.0.1:1")
print(*(sys.modules.keys() & {"pika", "twisted", "django"}))
"""


class DefaultPublisherTests(SynchronousTestCase):
    """`emit_channel_notification`, AWX's call, with the settings of the environment."""

    def setUp(self) -> None:
        """Begin without a default publisher, in an environment of our own."""
        environment = {"TOWERWS_URL": "unix:///nonexistent/towerws.sock"}
        self.patch(os, "environ", environment)
        self.patch(towerws.notify, "_default", {})
        self.at_exit: list[Any] = []
        self.patch(atexit, "register", self.at_exit.append)

    def test_publishes_to_the_environments_url(self) -> None:
        """The URL is read at the first event, and one publisher then serves all."""
        with self.assertRaisesRegex(Unreachable, "/nonexistent/towerws.sock: No such file"):
            emit_channel_notification("jobs-summary", {}, strict=True)
        os.environ["TOWERWS_URL"] = "nothing"
        with self.assertRaisesRegex(Unreachable, "the last attempt failed"):
            emit_channel_notification("jobs-summary", {}, strict=True)

    def test_drops(self) -> None:
        """Without `strict` nothing is raised: a log line tells of the event."""
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            emit_channel_notification("jobs-summary", {"secret": "content"})
        self.assertEqual(len(logs.output), 1)
        self.assertIn("event for group 'jobs-summary' dropped: ", logs.output[0])
        self.assertIn("(1 dropped so far)", logs.output[0])
        self.assertNotIn("content", logs.output[0])

    def test_bad_settings(self) -> None:
        """A URL that cannot be is logged at every event, or raised, without its password."""
        os.environ["TOWERWS_URL"] = "http://user:hunter2@host"
        with self.assertLogs("towerws.notify", "ERROR") as logs:
            emit_channel_notification("jobs-summary", {})
        self.assertIn("event for group 'jobs-summary' dropped: the publisher's URL", logs.output[0])
        self.assertNotIn("hunter2", logs.output[0])
        with self.assertRaisesRegex(EmitError, "the default publisher cannot be made"):
            emit_channel_notification("jobs-summary", {}, strict=True)

    def test_closes_at_exit(self) -> None:
        """The connection is closed in order when the process ends."""
        for _ in range(2):
            with self.assertRaises(Unreachable):
                emit_channel_notification("jobs-summary", {}, strict=True)
        (close,) = self.at_exit
        close()
        with self.assertRaisesRegex(EmitError, "closed"):
            emit_channel_notification("jobs-summary", {}, strict=True)


class ImportTests(SynchronousTestCase):
    """What a backend has to load."""

    def test_pika_only_for_amqp(self) -> None:
        """Twisted and Django are never loaded, pika when an `amqp://` URL asks for it."""
        done = subprocess.run(
            [sys.executable, "-c", _LOADS],
            cwd=_ROOT,
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.stdout.splitlines(), ["", "pika"])

    def test_exports(self) -> None:
        """What the package promises is there."""
        for name in towerws.notify.__all__:
            self.assertTrue(hasattr(towerws.notify, name), name)
        self.assertIs(towerws.notify.Publisher, Publisher)
