"""The commands' surroundings in memory: a terminal, a reactor, and processes."""

import io
from collections.abc import Callable

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.client import memory


class Terminal(io.TextIOWrapper):
    """A standard output in memory.

    Attributes:
        tty: Whether it says that it is a terminal.
    """

    def __init__(self, *, tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.tty = tty

    def isatty(self) -> bool:
        """Say what the test wants."""
        return self.tty

    @property
    def written(self) -> bytes:
        """Everything that was written."""
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


class ProcessInMemory:
    """The transport of a process that a test plays.

    Attributes:
        arguments: The command line.
        environment: Its environment.
        signals: The signals that it was sent.
        deadly: The signals that end it.
        stdin_open: Whether it can still be written to.
        reaped: Whether signalling it is an error already.
    """

    def __init__(
        self, protocol: ProcessProtocol, arguments: list[str], environment: dict[str, str]
    ):
        self.protocol = protocol
        self.arguments = arguments
        self.environment = environment
        self.signals: list[str] = []
        self.deadly = {"TERM", "KILL"}
        self.stdin_open = True
        self.reaped = False

    def closeStdin(self) -> None:  # noqa: N802
        """Note it."""
        self.stdin_open = False

    def signalProcess(self, name: str) -> None:  # noqa: N802
        """Note it, and end if the signal is deadly."""
        if self.reaped:
            raise ProcessExitedAlready
        self.signals.append(name)
        if name in self.deadly:
            self.end(signal=15 if name == "TERM" else 9)

    def write(self, output: bytes, descriptor: int = 1) -> None:
        """Write to standard output or standard error."""
        self.protocol.childDataReceived(descriptor, output)

    def end(self, status: int = 0, signal: int | None = None) -> None:
        """End the process."""
        reason = ProcessDone(0) if status == 0 and signal is None else None
        self.protocol.processEnded(Failure(reason or ProcessTerminated(status, signal)))


class CommandReactor(MemoryReactorClock):
    """A reactor in memory that starts processes, too.

    Attributes:
        processes: Those that were started, oldest first.
        script: What happens while it runs; after that a signal ends it.
    """

    def __init__(self, script: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.processes: list[ProcessInMemory] = []
        self.script = script

    def spawnProcess(  # noqa: N802
        self,
        protocol: ProcessProtocol,
        path: str,
        arguments: list[str],
        environment: dict[str, str],
    ) -> ProcessInMemory:
        """Start a process."""
        process = ProcessInMemory(protocol, arguments, environment)
        self.processes.append(process)
        protocol.makeConnection(process)
        return process

    def run(self) -> None:
        """Run the hooks and the script, then shut down in the order of a real reactor."""
        self.running = True
        for call, arguments, keywords in self.whenRunningHooks:
            call(*arguments, **keywords)
        self.script()
        before = [
            maybeDeferred(call, *arguments, **keywords)
            for call, arguments, keywords in self.triggers.get("before", {}).get("shutdown", ())
        ]
        stopped = DeferredList(before)
        assert stopped.called, "the shutdown hangs"


class Network(memory.Network):
    """What the commands connect through.

    Attributes:
        reactor: The commands' reactor and clock.
    """

    reactor: CommandReactor

    def __init__(self, case: SynchronousTestCase) -> None:
        """Connect nothing yet.

        Args:
            case: The test, during which Autobahn's timers, too, go by this reactor's clock.
        """
        super().__init__(case, CommandReactor())
