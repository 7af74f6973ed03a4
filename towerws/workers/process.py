"""One worker process, as the supervisor sees it, from its start to its end."""

import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.amqp.deadline import ReplyDeadline
from towerws.workers.levels import level_of, split_mark
from towerws.workers.messages import Decoder, Kind, Message, MessageError, encode

#: Descriptors of a worker: messages come in on the one and go out on the other. Its listening
#: sockets follow. When the first one ends, so does the worker.
MESSAGES_IN, MESSAGES_OUT = 0, 3
FIRST_SOCKET = 4

#: Seconds that a worker may owe an answer without giving one, its start included. Clients that do
#: not answer a Ping have 30; nothing that a worker does takes one.
SILENT_FOR = 20.0

#: Seconds between two questions how a worker is.
HEARTBEAT = 1.0

#: Longest line of a worker's log, in bytes; what is longer becomes several.
MAX_LINE = 16_384


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a worker.

    Attributes:
        command: The program and its arguments.
        environment: Its environment.
        directory: Where it runs.
        sockets: Descriptors of its listening sockets, in the order of the options.
        start: What it is told first.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    sockets: Sequence[int]
    start: Message


class WorkerEnded(Exception):
    """The worker ended before it answered."""


class WorkerProcess(ProcessProtocol):
    """Starts a worker, asks it things, and sees to its end.

    Attributes:
        number: The worker's, from 1.
        takes_events: Whether it is there. It has no clients before.
        unready: Why no events reach its clients, None if they do; as of the last heartbeat.
        backlog: Bytes of all that it was sent and has not answered.
        cause: What ended it: ``exit`` or ``signal`` if it was not us; ``silent`` or ``fault``.
        terminated: Whether it ended as one does that gets SIGTERM.
    """

    _log = Logger()
    transport: IProcessTransport

    def __init__(self, number: int, launch: Launch, reactor: Any) -> None:
        """Start nothing yet.

        Args:
            number: The worker's, from 1.
            launch: How to start it.
            reactor: Starts and watches it, and measures the time.
        """
        self.number = number
        self.takes_events = False
        self.unready: str | None = "it starts"
        self.backlog = 0
        self.cause: str | None = None
        self.terminated = False
        self._launch = launch
        self._reactor = reactor
        self._decoder = Decoder()
        self._deadline = ReplyDeadline(reactor, SILENT_FOR, self._silent)
        self._pending: deque[tuple[int, Deferred[Message]]] = deque()
        self._quiet_since = 0.0
        self._partial: dict[int, bytes] = {}
        self._conversation: Deferred[None] | None = None
        self._ended: Deferred[str] = Deferred()

    def start(self) -> Deferred[str]:
        """Start it, and ask it from time to time how it is.

        Returns:
            Fires when it has ended, with how it did, such as ``with exit 1``. Not to be
            cancelled.

        Raises:
            OSError: It cannot be started.
        """
        launch = self._launch
        descriptors: dict[int, int | str] = {MESSAGES_IN: "w", 1: "r", 2: "r", MESSAGES_OUT: "r"}
        descriptors.update(enumerate(launch.sockets, FIRST_SOCKET))
        self._reactor.spawnProcess(
            self,
            launch.command[0],
            launch.command,
            launch.environment,
            launch.directory,
            childFDs=descriptors,
        )
        self._conversation = Deferred.fromCoroutine(self._converse())
        self._conversation.addErrback(lambda failure: failure.trap(WorkerEnded, CancelledError))
        return self._ended

    def request(self, message: Message) -> Deferred[Message]:
        """Send a message; see `request_encoded`."""
        return self.request_encoded(encode(message))

    def request_encoded(self, data: bytes) -> Deferred[Message]:
        """Send a message.

        Args:
            data: The message in bytes.

        Returns:
            Fires with the reply; fails with `WorkerEnded`, within a bounded time. May be cancelled,
            which leaves the reply to nobody.
        """
        if self._ended.called:
            return fail(WorkerEnded())
        self.transport.write(data)
        return self._expect_reply(len(data))

    def silence(self) -> float:
        """Tell for how many seconds it has owed an answer without giving one, 0 if it owes none."""
        return float(self._reactor.seconds() - self._quiet_since) if self._pending else 0.0

    def drain(self) -> None:
        """Let it send its clients away one after the other, and end then."""
        if self.takes_events:
            self.request(Message(Kind.DRAIN)).addErrback(lambda failure: failure.trap(WorkerEnded))
        else:
            self.finish()

    def finish(self) -> None:
        """Let it end in order, at once: it closes its connections first."""
        self.transport.closeStdin()

    def kill(self, cause: str) -> None:
        """End it at once.

        Args:
            cause: Why.
        """
        self.cause = self.cause or cause
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            # It has ended, but its output has not been read to the end.
            pass

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803  # Twisted's name
        """Take in a reply, or a piece of its log."""
        if childFD != MESSAGES_OUT:
            self._log_lines(childFD, data)
            return
        if self.cause is not None:
            return
        try:
            for message in self._decoder.feed(data):
                self._replied(message)
        except MessageError as error:
            self._log.error("worker {number}: {error}", number=self.number, error=error)
            self.kill("fault")

    def processEnded(self, reason: Failure) -> None:  # noqa: N802  # Twisted's name
        """Tell all who wait."""
        for descriptor in tuple(self._partial):
            self._log_lines(descriptor, b"\n")
        self.takes_events = False
        self._deadline.cancel()
        ended: Any = reason.value
        kind = "exit" if ended.signal is None else "signal"
        self.cause = self.cause or kind
        # While it starts it has no say in how it ends.
        self.terminated = ended.signal == signal.SIGTERM or not (ended.signal or ended.exitCode)
        pending, self._pending = self._pending, deque()
        self._ended.callback(f"with {kind} {ended.signal or ended.exitCode}")
        for _, waiting in pending:
            waiting.errback(WorkerEnded())
        if self._conversation is not None:
            self._conversation.cancel()

    async def _converse(self) -> None:
        await self._expect_reply(0)
        # Events are sent from here on, behind the start: by the time a client could subscribe,
        # none is missed.
        self.takes_events = True
        status = await self.request(self._launch.start)
        while True:
            self.unready = status.fields["unready"]
            await deferLater(self._reactor, HEARTBEAT)
            status = await self.request(Message(Kind.STATUS))

    def _expect_reply(self, size: int) -> Deferred[Message]:
        waiting: Deferred[Message] = Deferred()
        if not self._pending:
            self._quiet_since = self._reactor.seconds()
        self._pending.append((size, waiting))
        self.backlog += size
        self._deadline.expect()
        return waiting

    def _replied(self, message: Message) -> None:
        if message.kind is not Kind.REPLY or not self._pending:
            raise MessageError("it says what it was not asked")
        size, waiting = self._pending.popleft()
        self.backlog -= size
        self._quiet_since = self._reactor.seconds()
        self._deadline.progress(outstanding=bool(self._pending))
        waiting.callback(message)

    def _silent(self) -> None:
        self._log.error(
            "worker {number} has not answered for {seconds:g} s and is killed",
            number=self.number,
            seconds=SILENT_FOR,
        )
        self.kill("silent")

    def _log_lines(self, descriptor: int, data: bytes) -> None:
        *lines, rest = (self._partial.pop(descriptor, b"") + data).split(b"\n")
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            mark, _ = split_mark(rest)
            rest = mark + rest[MAX_LINE:]
        if rest:
            self._partial[descriptor] = rest
        for line in lines:
            mark, text = split_mark(line)
            self._log.emit(
                level_of(mark),
                "worker {number}: {line}",
                number=self.number,
                line=text.decode("utf-8", "backslashreplace"),
            )
