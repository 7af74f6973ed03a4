"""Signals: SIGTERM lets the server drain, SIGHUP has it read its files anew."""

import errno
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger


class SignalService(Service, ABC):
    """Takes a signal, as soon as the reactor runs, and until the process has ended.

    Attributes:
        number: The signal.
    """

    number: ClassVar[signal.Signals]

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        """Change nothing yet.

        Args:
            reactor: Its thread is the main thread of the process.
        """
        self._reactor = reactor

    def startService(self) -> None:
        """Ask for the signal as soon as the reactor runs, which by then has its own in place."""
        super().startService()
        self._reactor.callWhenRunning(self._install)

    @abstractmethod
    def _obey(self) -> None:
        """Do what the signal asks for, in the reactor's turn."""

    def _install(self) -> object:
        """Ask for the signal; give what was in its place."""
        return signal.signal(self.number, self._signalled)

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        # Between any two instructions of whatever runs: nothing can be done here.
        self._reactor.callFromThread(self._obey)

    def _stop_reactor(self) -> bool:
        """Let the process end in order; tell whether it did not do so already."""
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            return False
        return True


class TerminationSignal(SignalService):
    """SIGTERM: the server drains, then ends with status 0; once more meanwhile, it ends at once.

    With Twisted's own the reactor would stop at once, and the process end by the signal that it
    caught, which is no success for supervisord, a shell or a container's exit code.
    """

    number = signal.SIGTERM

    def __init__(self, reactor: Any, drain: Callable[[], Deferred[None]]) -> None:
        """Change nothing yet.

        Args:
            reactor: Its thread is the main thread of the process.
            drain: Called once; its Deferred fires when the reactor may stop, which stops the
                services as ever, and does not fail.
        """
        super().__init__(reactor)
        self._drain = drain
        self._draining = False

    def _obey(self) -> None:
        if not self._draining:
            self._draining = True
            self._log.info("SIGTERM: the server drains, and ends then; another one ends it at once")
            self._drain().addCallback(lambda _: self._stop_reactor())
        elif self._stop_reactor():
            self._log.info("SIGTERM again: the server ends at once")


class HangupSignal(SignalService):
    """SIGHUP, which by default ends a process: it is to read its files anew.

    The kernel sends it, too, when the terminal is closed that the process was started from. Then
    the server ends as at Ctrl-C, unless ``nohup`` was to prevent that.
    """

    number = signal.SIGHUP

    def __init__(
        self, reactor: Any, hung_up: Callable[[], None], has_terminal: Callable[[], bool]
    ) -> None:
        """Change nothing yet.

        Args:
            reactor: Its thread is the main thread of the process.
            hung_up: Called in the reactor's thread at each SIGHUP.
            has_terminal: Tells whether the process has a terminal, see `has_terminal`.
        """
        super().__init__(reactor)
        self._hung_up = hung_up
        self._has_terminal = has_terminal
        self._ends_with_terminal = False

    def _install(self) -> object:
        before = super()._install()
        self._ends_with_terminal = before is not signal.SIG_IGN and self._has_terminal()
        return before

    def _obey(self) -> None:
        if not self._ends_with_terminal or self._has_terminal():
            self._hung_up()
        # The kernel and the shell both send it.
        elif self._stop_reactor():
            self._log.info("the terminal is gone")


def has_terminal() -> bool:
    """Tell whether this process has a controlling terminal, and it is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError as error:
        # That there is no descriptor left says nothing about it.
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return True
