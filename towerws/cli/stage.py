"""Where the demo happens: processes and a listener that end together, whatever goes wrong."""

import random
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from signal import SIGINT
from typing import Any, TypeVar, cast

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from towerws.cli.child import Child
from towerws.cli.errors import INTERRUPTED, CommandError
from towerws.cli.render import neutralise
from towerws.client import Audience, Listener, Refused, Subscription, Target

T = TypeVar("T")

LOOPBACK = "127.0.0.1"

#: Where free ports are looked for: below those that outgoing connections take (Linux: 32768 and
#: up), so that nobody takes one by chance before the server does.
_PORTS = range(20000, 32000)

#: How often to look whether a server that is only just starting accepts connections, in seconds.
_LOOK_EVERY = 0.1


class LateError(CommandError):
    """Something did not happen in time."""


class Stage:
    """Starts what belongs together, and ends all of it when one part fails."""

    def __init__(self, reactor: Any) -> None:
        """Start nothing yet.

        Args:
            reactor: Starts the processes, connects, and measures the time.
        """
        self._reactor = reactor
        self._children: dict[str, Child] = {}
        self._listening: list[Deferred[Any]] = []
        self._gate: Deferred[Any] | None = None
        self._clearing = False
        self._trouble: Failure | None = None

    def start(
        self,
        name: str,
        *arguments: str,
        lasts: bool = True,
        echo: Callable[[bytes], object] | None = None,
    ) -> Child:
        """Start a Python process.

        Args:
            name: What to call it in messages, such as ``server``.
            *arguments: What comes after ``python``.
            lasts: Whether its end is trouble in any case, and not only with a status other than 0.
            echo: Given each line that it writes.

        Returns:
            The process.
        """
        child = self._children[name] = Child(echo)
        child.start(self._reactor, *arguments)

        def ended(status: int) -> None:
            if status in (-SIGINT, INTERRUPTED):
                # A terminal's Ctrl-C goes to all its processes; this one was the fastest to end.
                self._fail(Failure(CancelledError()))
            elif lasts or status != 0:
                last_words = child.lines[-1].decode(errors="replace") if child.lines else "no word"
                sentence = f"the {name} ended with status {status}: {neutralise(last_words)}"
                self._fail(Failure(CommandError(sentence)))

        child.ended().addCallbacks(ended, lambda _cancelled: None)
        return child

    def listen(self, target: Target, groups: Iterable[str], audience: Audience) -> None:
        """Listen to groups.

        Args:
            target: The server.
            groups: Names of the groups.
            audience: Who is told; what it raises is trouble.
        """
        listener = Listener(self._reactor, target, Subscription(list(groups)), audience)
        listening = Deferred.fromCoroutine(listener.run())
        self._listening.append(listening.addErrback(self._listening_failed))

    async def wait_for(self, event: Deferred[T], seconds: float | None, what: str) -> T:
        """Wait for something, but not if there is trouble.

        Args:
            event: Fires when it has happened.
            seconds: The longest wait; no bound if None.
            what: What to call it when it takes longer, such as ``the start of the server``.

        Returns:
            What the event fired with.

        Raises:
            LateError: It took longer.
            CommandError: A part of the stage failed, before or meanwhile.
        """
        if self._trouble is not None:
            self._trouble.raiseException()
        gate: Deferred[T] = Deferred()

        def failed(failure: Failure) -> None:
            # Not that it was cancelled, below, because something else came first.
            if not gate.called:
                gate.errback(failure)

        event.addCallbacks(gate.callback, failed)
        if seconds is not None:
            gate.addTimeout(seconds, self._reactor)
        self._gate = gate
        try:
            return await gate
        except defer.TimeoutError:
            raise LateError(f"{what} takes longer than {seconds:.0f} s") from None
        finally:
            self._gate = None
            event.cancel()

    async def accepting(self, port: int) -> None:
        """Wait until somebody accepts connections on a loopback port; the caller sets a bound.

        Args:
            port: The TCP port.
        """
        endpoint = TCP4ClientEndpoint(self._reactor, LOOPBACK, port)
        while True:
            try:
                protocol = cast(Protocol, await endpoint.connect(Factory.forProtocol(Protocol)))
            except ConnectError:
                await deferLater(self._reactor, _LOOK_EVERY)
            else:
                cast(ITransport, protocol.transport).loseConnection()
                return

    async def clear(self) -> None:
        """End everything, the last started first; at most some seconds later it is gone."""
        self._clearing = True
        for listening in self._listening:
            listening.cancel()
            await listening
        for child in reversed(self._children.values()):
            await child.stop(self._reactor)

    def show_logs(self) -> None:
        """Print on standard error what the processes wrote last."""
        for name, child in self._children.items():
            print(f"--- what the {name} wrote ---", file=sys.stderr)
            for line in child.lines:
                show_line(line)

    def _listening_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(Refused):
            failure = Failure(CommandError(str(failure.value)))
        self._fail(failure)

    def _fail(self, trouble: Failure) -> None:
        if self._clearing:
            return
        if self._gate is not None and not self._gate.called:
            self._gate.errback(trouble)
        else:
            self._trouble = self._trouble or trouble


def show_line(line: bytes) -> None:
    """Print a line of a process on standard error.

    Args:
        line: The line, without its end.
    """
    print(neutralise(line.decode(errors="replace")), file=sys.stderr, flush=True)


def free_ports(count: int) -> list[int]:
    """Choose TCP ports that nobody on this machine uses now.

    Args:
        count: How many.

    Returns:
        Different ports.

    Raises:
        CommandError: Too few of those that were tried are free.
    """
    free = [port for port in random.sample(_PORTS, 20 * count) if is_free(port)][:count]
    if len(free) < count:
        raise CommandError(f"no {count} free ports on {LOOPBACK}")
    return free


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a loopback port now.

    Args:
        port: The TCP port.

    Returns:
        Whether it could.
    """
    with closing(socket.socket()) as probe:
        # As servers do it: connections that are over but not forgotten do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
