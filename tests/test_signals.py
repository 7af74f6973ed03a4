"""`towerws.signals`: real signals, and real terminals."""

import contextlib
import errno
import os
import pty
import signal
from collections.abc import Callable
from typing import NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from towerws.signals import HangupSignal, TerminationSignal, has_terminal


class ThreadlessReactor(MemoryReactorClock):
    """A reactor that keeps what it is called with from a signal, and counts its stops.

    Attributes:
        called: What is to be called.
        stops: How often it was stopped.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.called: list[Callable[[], None]] = []
        self.stops = 0

    def callFromThread(self, callable: Callable[[], None]) -> None:  # noqa: A002, N802  # Twisted's
        """Keep it."""
        self.called.append(callable)

    def stop(self) -> None:
        """Take note; it stops once."""
        if self.stops:
            raise ReactorNotRunning
        self.stops += 1


class SignalCase(SynchronousTestCase):
    """A test with a signal of this process."""

    number = signal.SIGHUP

    def setUp(self) -> None:
        """Put it back in the end."""
        self.addCleanup(signal.signal, self.number, signal.getsignal(self.number))
        self.reactor = ThreadlessReactor()

    def run_reactor(self) -> None:
        """Let the reactor run."""
        for function, arguments, named in self.reactor.whenRunningHooks:
            function(*arguments, **named)

    def send(self) -> None:
        """Send the signal, and let the reactor do what it is called for."""
        os.kill(os.getpid(), self.number)
        for call in self.reactor.called:
            call()
        self.reactor.called.clear()


class TerminationSignalTests(SignalCase):
    """SIGTERM of this process."""

    number = signal.SIGTERM

    def setUp(self) -> None:
        """Take the signal."""
        super().setUp()
        # If that fails, this is the process that ends.
        signal.signal(self.number, signal.SIG_IGN)
        self.drains: list[Deferred[None]] = []
        TerminationSignal(self.reactor, self._drain).startService()

    def _drain(self) -> Deferred[None]:
        self.drains.append(Deferred())
        return self.drains[-1]

    def test_not_running(self) -> None:
        """Until the reactor runs nothing is changed."""
        self.assertIs(signal.getsignal(self.number), signal.SIG_IGN)

    def test_drain(self) -> None:
        """The reactor stops when the server has drained, which begins in the reactor's turn."""
        self.run_reactor()
        os.kill(os.getpid(), self.number)
        self.assertEqual(self.drains, [])
        (call,) = self.reactor.called
        with capturedLogs() as logs:
            call()
        (line,) = map(formatEvent, logs)
        self.assertIn("SIGTERM: the server drains", line)
        self.assertEqual((len(self.drains), self.reactor.stops), (1, 0))
        self.drains[0].callback(None)
        self.assertEqual(self.reactor.stops, 1)

    def test_again(self) -> None:
        """Once more, and the reactor stops at once; that the drain ends then means nothing."""
        self.run_reactor()
        self.send()
        with capturedLogs() as logs:
            self.send()
            self.send()
        self.assertEqual(
            [formatEvent(event) for event in logs], ["SIGTERM again: the server ends at once"]
        )
        self.assertEqual((len(self.drains), self.reactor.stops), (1, 1))
        self.drains[0].callback(None)
        self.assertEqual(self.reactor.stops, 1)

    def test_while_it_stops(self) -> None:
        """When the server has drained there is nothing more to hurry."""
        self.run_reactor()
        self.send()
        self.drains[0].callback(None)
        self.send()
        self.assertEqual((len(self.drains), self.reactor.stops), (1, 1))


class HangupSignalTests(SignalCase):
    """SIGHUP of this process."""

    def setUp(self) -> None:
        """Have no terminal."""
        super().setUp()
        self.terminal = False
        self.heard = 0

    def _hear(self) -> None:
        self.heard += 1

    def start(self) -> None:
        """Start the service, then the reactor."""
        HangupSignal(self.reactor, self._hear, lambda: self.terminal).startService()
        self.run_reactor()

    def test_not_started(self) -> None:
        """Until the reactor runs nothing is changed."""
        before = signal.getsignal(signal.SIGHUP)
        HangupSignal(self.reactor, self._hear, has_terminal).startService()
        self.assertIs(signal.getsignal(signal.SIGHUP), before)

    def test_heard(self) -> None:
        """Each time it is passed on, in the reactor's turn."""
        self.start()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.heard, 0)
        self.send()
        self.assertEqual(self.heard, 2)
        self.assertEqual(self.reactor.stops, 0)

    def test_terminal(self) -> None:
        """While the terminal is there it means the same; without it the server ends."""
        self.terminal = True
        self.start()
        self.send()
        self.assertEqual((self.heard, self.reactor.stops), (1, 0))
        self.terminal = False
        self.send()
        self.assertEqual((self.heard, self.reactor.stops), (1, 1))

    def test_terminal_twice(self) -> None:
        """The kernel and the shell both send it: while the server ends it means nothing."""
        self.terminal = True
        self.start()
        self.terminal = False
        with capturedLogs() as logs:
            self.send()
            self.send()
        self.assertEqual([formatEvent(event) for event in logs], ["the terminal is gone"])
        self.assertEqual((self.heard, self.reactor.stops), (0, 1))

    def test_nohup(self) -> None:
        """With nohup the server stays when the terminal is closed."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.terminal = True
        self.start()
        self.terminal = False
        self.send()
        self.assertEqual((self.heard, self.reactor.stops), (1, 0))


class HasTerminalTests(SynchronousTestCase):
    """`has_terminal` asks the kernel."""

    def test_gone(self) -> None:
        """A process that leads a session has a terminal until the other end is closed."""
        pid, terminal = pty.fork()
        if pid == 0:
            _lose_terminal()
        self.assertEqual(os.read(terminal, 1), b"x")
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 12)

    def test_descriptors(self) -> None:
        """That there is no descriptor left says nothing."""

        def full(*_: object) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(os, "open", full)
        self.assertTrue(has_terminal())


def _lose_terminal() -> NoReturn:
    """Tell by the exit status of this process whether it has a terminal, before and after."""
    status = 0
    try:
        # Whatever happens, nobody waits for this process for longer.
        signal.alarm(10)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        status += 2 * has_terminal()
        os.write(1, b"x")
        # Until the terminal is closed there is nothing to read.
        with contextlib.suppress(OSError):
            os.read(0, 1)
        status += 10 + has_terminal()
    finally:
        os._exit(status)
