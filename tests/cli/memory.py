"""The commands' surroundings in memory: a reactor, processes, and Autobahn's server to talk to."""

import io
from collections import deque
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from txaio import tx

ACCEPT = b'{"accept": true, "user": null}'


def joined(*names: str) -> bytes:
    """The server's reply to a subscription to these groups, all of them new."""
    listed = ", ".join(f'"{name}"' for name in names)
    return (
        f'{{"groups_current": [{listed}], "groups_left": [], "groups_joined": [{listed}]}}'.encode()
    )


def end(running: Deferred[Any]) -> None:
    """Cancel what a test leaves running, lest it be torn down by the garbage collector."""
    running.addErrback(lambda _failure: None)
    running.cancel()


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


class ServerEnd(WebSocketServerProtocol):
    """The server's end of a connection; a test says what it sends.

    Attributes:
        request: The handshake's request, once there was one.
        frames: What the client sent, oldest first.
        closed: The close code that the client sent, once the connection is closed.
        pump: Carries the bytes.
    """

    pump: IOPump

    def __init__(self) -> None:
        super().__init__()
        self.request: Any = None
        self.frames: deque[bytes] = deque()
        self.closed: int | None = None

    def onConnect(self, request: Any) -> None:
        """Note the request."""
        self.request = request

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Keep what the client sent."""
        self.frames.append(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N803
        """Note how the connection ended."""
        self.closed = code

    def send(self, *frames: bytes) -> None:
        """Send text frames in one write, and let them arrive."""
        for frame in frames:
            self.sendMessage(frame)
        self.pump.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Close the websocket, and let the closing handshake happen."""
        # Autobahn's sendClose takes no code from 1001 to 2999.
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode())
        self.pump.flush()

    def drop(self) -> None:
        """Close the TCP connection without a word."""
        self.transport.loseConnection()
        self.pump.flush()


class Network:
    """What the commands connect through, by TCP or by a Unix socket.

    Attributes:
        reactor: The commands' reactor and clock.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        """Connect nothing yet.

        Args:
            case: The test, during which Autobahn's timers, too, go by this reactor's clock.
        """
        self.reactor = CommandReactor()
        case.patch(tx.config, "loop", self.reactor)
        self._factory = WebSocketServerFactory("ws://localhost/websocket/", reactor=self.reactor)
        self._factory.setProtocolOptions(failByDrop=False)

    @property
    def attempts(self) -> int:
        """How often a client tried to connect."""
        return len(self.reactor.unixClients) + len(self.reactor.tcpClients)

    def _client_factory(self) -> Any:
        if self.reactor.unixClients:
            return self.reactor.unixClients[-1][1]
        return self.reactor.tcpClients[-1][2]

    def accept(self, client: Any = None) -> ServerEnd:
        """Let the latest attempt succeed, and the websocket's handshake happen.

        Args:
            client: The client's protocol, where none has tried to connect.

        Returns:
            The server's end.
        """
        server = ServerEnd()
        server.factory = self._factory
        client = client or self._client_factory().buildProtocol(None)
        server.pump = connect(
            server, FakeTransport(server, isServer=True), client, FakeTransport(client, False)
        )
        server.pump.flush()
        return server

    def accept_silently(self) -> FakeTransport:
        """Let the latest attempt succeed, and nothing else happen."""
        client = self._client_factory().buildProtocol(None)
        transport = FakeTransport(client, isServer=False)
        client.makeConnection(transport)
        return transport

    def answer(self, response: bytes) -> None:
        """Let the latest attempt succeed, and a server that knows no websocket answer."""
        transport = self.accept_silently()
        transport.protocol.dataReceived(response)
        if transport.disconnecting:
            transport.protocol.connectionLost(Failure(Refused()))

    def refuse(self) -> None:
        """Let the latest attempt fail."""
        self._client_factory().clientConnectionFailed(None, Failure(Refused()))
