"""Processes that a command starts."""

import os
import sys
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import CommandReactor, ProcessInMemory
from towerws.cli.child import KEPT_LINES, MAX_LINE, STOP_TIMEOUT, Child


class ChildTests(SynchronousTestCase):
    """`Child` reads what a process writes, and ends it."""

    def setUp(self) -> None:
        """Start a process in memory."""
        self.reactor = CommandReactor()
        self.echoed: list[bytes] = []
        self.child = Child(self.echoed.append)
        self.child.start(self.reactor, "-m", "towerws")

    @property
    def process(self) -> ProcessInMemory:
        """The process."""
        return self.reactor.processes[0]

    def test_start(self) -> None:
        """It is this Python, with nothing to read, and without settings meant for us."""
        settings = {"TOWERWS_BROKER": "amqp://production", "OTHER": "1"}
        with mock.patch.dict(os.environ, settings):
            Child().start(self.reactor, "-V")
        process = self.reactor.processes[1]
        self.assertEqual(process.arguments, [sys.executable, "-V"])
        self.assertNotIn("TOWERWS_BROKER", process.environment)
        self.assertEqual(process.environment["OTHER"], "1")
        self.assertFalse(process.stdin_open)

    def test_lines(self) -> None:
        """Output is cut into lines, each stream on its own, the last one without its end."""
        self.process.write(b"one\ntw")
        self.process.write(b"error\n", 2)
        self.process.write(b"o\nthr")
        self.assertEqual(self.echoed, [b"one", b"error", b"two"])
        self.process.end()
        self.assertEqual(list(self.child.lines), [b"one", b"error", b"two", b"thr"])

    def test_endless_line(self) -> None:
        """A line without end is cut, not collected."""
        self.process.write(b"x" * (2 * MAX_LINE + 5))
        self.assertEqual([len(line) for line in self.child.lines], [MAX_LINE, MAX_LINE])

    def test_endless_output(self) -> None:
        """Only the last lines are kept."""
        self.process.write(b"x\n" * (KEPT_LINES + 50) + b"last\n")
        self.assertEqual(len(self.child.lines), KEPT_LINES)
        self.assertEqual(self.child.lines[-1], b"last")

    def test_ended(self) -> None:
        """Everybody who waits learns the status, before and after the end."""
        waiting = self.child.ended()
        self.assertNoResult(waiting)
        self.process.end(3)
        self.assertEqual(self.successResultOf(waiting), 3)
        self.assertEqual(self.successResultOf(self.child.ended()), 3)

    def test_waiting_cancelled(self) -> None:
        """Who no longer waits is not told, and the process goes on."""
        waiting = self.child.ended()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.process.end()
        self.assertEqual(self.process.signals, [])

    def test_stop(self) -> None:
        """It is asked to end, and no timer stays behind."""
        stopping = Deferred.fromCoroutine(self.child.stop(self.reactor))
        self.successResultOf(stopping)
        self.assertEqual(self.process.signals, ["TERM"])
        self.assertEqual(self.child.status, -15)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop_stubborn(self) -> None:
        """It is ended by force when it does not end."""
        self.process.deadly = {"KILL"}
        stopping = Deferred.fromCoroutine(self.child.stop(self.reactor))
        self.reactor.advance(STOP_TIMEOUT)
        self.successResultOf(stopping)
        self.assertEqual(self.process.signals, ["TERM", "KILL"])
        self.assertEqual(self.child.status, -9)

    def test_stop_ended(self) -> None:
        """What has ended is left alone, its number may be somebody else's by now."""
        self.process.end()
        self.successResultOf(Deferred.fromCoroutine(self.child.stop(self.reactor)))
        self.assertEqual(self.process.signals, [])

    def test_stop_while_its_output_is_read(self) -> None:
        """A process that is gone but still has output to be read is waited for."""
        self.process.reaped = True
        stopping = Deferred.fromCoroutine(self.child.stop(self.reactor))
        self.assertNoResult(stopping)
        self.process.end()
        self.successResultOf(stopping)
