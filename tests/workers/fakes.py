"""A reactor whose processes are in the hands of a test."""

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from towerws.workers.messages import Decoder, Kind, Message, encode
from towerws.workers.process import MESSAGES_OUT, WorkerProcess


class FakeProcess:
    """A worker as its supervisor sees it: an `IProcessTransport` that a test answers for.

    Attributes:
        args: What it was started with.
        sent: The messages that it was sent and that the test has not taken.
        finished: Whether it was told to end in order.
        signals: What it was sent.
    """

    def __init__(self, protocol: WorkerProcess, *args: Any, **options: Any) -> None:
        """Start it."""
        self.args = args
        self.options = options
        self.sent: list[Message] = []
        self.finished = False
        self.signals: list[str] = []
        self._decoder = Decoder(max_body=1 << 30)
        self._protocol = protocol
        self._exited = False
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        """Take a message in."""
        self.sent += self._decoder.feed(data)

    def closeStdin(self) -> None:  # noqa: N802  # Twisted's name
        """Take note."""
        self.finished = True

    def signalProcess(self, name: str) -> None:  # noqa: N802  # Twisted's name
        """Take note, if it is still there."""
        if self._exited:
            raise ProcessExitedAlready
        self.signals.append(name)

    def take(self) -> Message:
        """Give the oldest message that it was sent."""
        return self.sent.pop(0)

    def kinds(self) -> list[Kind]:
        """Tell what it was sent and has not answered."""
        return [message.kind for message in self.sent]

    def reply(self, body: bytes = b"", **fields: Any) -> None:
        """Answer."""
        self.output(encode(Message(Kind.REPLY, fields, body)), MESSAGES_OUT)

    def output(self, data: bytes, descriptor: int = 1) -> None:
        """Write something."""
        self._protocol.childDataReceived(descriptor, data)

    def boot(self, unready: str | None = None) -> Message:
        """Come up; give what it was told to do."""
        self.reply()
        start = self.take()
        self.reply(unready=unready)
        return start

    def exit(self) -> None:
        """End, while its output is still to be read."""
        self._exited = True

    def end(self, status: int = 0, signal: int | None = None) -> None:
        """End."""
        self._exited = True
        if status or signal:
            reason = Failure(ProcessTerminated(status, signal))
        else:
            reason = Failure(ProcessDone(0))
        self._protocol.processEnded(reason)


class ProcessReactor(MemoryReactorClock):
    """A reactor in memory that starts processes in memory.

    Attributes:
        processes: Those that it has started.
        refusal: Raised in place of starting one.
    """

    def __init__(self) -> None:
        """Run already."""
        super().__init__()
        self.running = True
        self.processes: list[FakeProcess] = []
        self.refusal: OSError | None = None

    def callWhenRunning(self, callable: Callable[..., object], *args: Any, **kw: Any) -> None:  # noqa: A002, N802
        """Call it at once, if this runs, as MemoryReactor does since Twisted 26."""
        if self.running:
            callable(*args, **kw)
        else:
            super().callWhenRunning(callable, *args, **kw)

    def spawnProcess(self, protocol: WorkerProcess, *args: Any, **options: Any) -> None:  # noqa: N802
        """Start a process."""
        if self.refusal is not None:
            raise self.refusal
        self.processes.append(FakeProcess(protocol, *args, **options))
