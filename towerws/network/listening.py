"""Listeners by endpoint string: who can reach them, and a start that fails with a sentence."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger

from towerws.network.adopting import inherited_address
from towerws.network.proxy_header import expect_header

#: The colons of an endpoint string that separate, and not those behind a backslash.
_SEPARATOR = re.compile(r"(?<!\\):")

#: Connections that may wait to be accepted. Twisted's 50 are too few when all clients of a server
#: that was restarted come back: the kernel drops the others, which try again after a second. It is
#: no larger because Twisted may accept all that wait in one turn of the reactor.
BACKLOG = 512


class StartError(SystemExit, Exception):
    """The server cannot start; its text is one sentence.

    As a SystemExit it ends ``twistd`` with this sentence and status 1 in place of a traceback; as
    an Exception it is seen by ``twistd`` when it cleans up, and told to the parent of a daemon.
    """

    def __init__(self, sentence: str) -> None:
        """Give the reason.

        Args:
            sentence: What is wrong and, if it can be said, what to do.
        """
        super().__init__(f"towerws: {sentence}")


def is_private(description: str) -> bool:
    """Tell whether only this machine can reach a listener.

    Args:
        description: An endpoint string, such as ``tcp:8051:interface=127.0.0.1``.

    Returns:
        True for a Unix socket and for a loopback address, also one that systemd has handed over;
        False where it cannot be known.

    Raises:
        StartError: systemd has handed over no such socket.
    """
    kind, *arguments = _SEPARATOR.split(description)
    if kind == "haproxy":
        return bool(arguments) and is_private(description.partition(":")[2])
    if kind == "unix":
        return True
    if kind == "systemd":
        return _is_private_address(_inherited_address(description))
    if kind not in ("tcp", "tcp6", "ssl"):
        return False
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    positional = [argument for argument in arguments if "=" not in argument]
    # The second positional argument of tcp is the interface.
    default = positional[1] if kind != "ssl" and len(positional) > 1 else ""
    interface = named.get("interface", default).replace("\\", "")
    return interface == "localhost" or _is_private_address((interface,))


def with_backlog(description: str) -> str:
    """Ask for room for many clients that come at once.

    Args:
        description: An endpoint string.

    Returns:
        The same with `BACKLOG`, unless it says itself how many, or is of a kind that cannot.
    """
    kind, *arguments = _SEPARATOR.split(re.sub("^(haproxy:)+", "", description))
    named = [argument for argument in arguments if "=" in argument]
    if (
        kind not in ("tcp", "tcp6", "ssl", "unix")
        or any(argument.startswith("backlog=") for argument in named)
        # It may also be the third one without a name.
        or len(arguments) - len(named) > 2
    ):
        return description
    return f"{description}:backlog={BACKLOG}"


def _is_private_address(address: Any) -> bool:
    # As getsockname gives it: the name of a Unix socket, which may be one of the abstract kind in
    # bytes, or a tuple that begins with the host.
    if not isinstance(address, tuple):
        return True
    try:
        return ip_address(address[0]).is_loopback
    except ValueError:
        return False


def _inherited_address(description: str) -> Any:
    try:
        return inherited_address(description)
    except (ValueError, OSError) as error:
        raise StartError(f"cannot listen on {description}: {error}") from None


class Listener(Service):
    """Listens on an endpoint while it runs.

    Attributes:
        description: The endpoint string.
        port: What listens, while it does.
    """

    _log = Logger()

    def __init__(
        self,
        description: str,
        endpoint: IStreamServerEndpoint,
        factory: IProtocolFactory,
        prepare: Callable[[IListeningPort], None] | None = None,
    ) -> None:
        """Prepare a listener.

        Args:
            description: The endpoint string, for messages.
            endpoint: Where to listen.
            factory: Makes a protocol for each connection.
            prepare: Called with the port before it accepts anything.
        """
        self.port: IListeningPort | None = None
        self.description = description
        self._endpoint = endpoint
        self._factory = factory
        self._prepare = prepare

    def privilegedStartService(self) -> None:
        """Begin to listen, while twistd may still have the right to low ports.

        Raises:
            StartError: The address is in use or not to be had.
        """
        super().privilegedStartService()
        # Every endpoint of Twisted's own answers at once. An error must not be left to the log:
        # the server would go on, with nothing listening.
        errors: list[BaseException] = []
        listening = self._endpoint.listen(self._factory)
        listening.addCallbacks(self._listening, lambda failure: errors.append(failure.value))
        for error in errors:
            # Beside CannotListenError there are ports that are none, and Unix sockets in
            # directories that are not there.
            if not isinstance(error, (CannotListenError, OSError, OverflowError, ValueError)):
                raise error
            cause = error.socketError if isinstance(error, CannotListenError) else error
            # Without the number, and without the lock file that Twisted makes beside a Unix socket.
            reason = getattr(cause, "strerror", None) or cause
            raise StartError(f"cannot listen on {self.description}: {reason}")

    def startService(self) -> None:
        """Begin to listen, unless that is done already."""
        if self.port is None:
            self.privilegedStartService()
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Stop to listen; connections stay.

        Returns:
            Fires when the socket is closed.
        """
        super().stopService()
        port, self.port = self.port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)  # type: ignore[call-overload]  # None or a Deferred

    def _listening(self, port: IListeningPort) -> None:
        self.port = port
        expect_header(port)
        if self._prepare is not None:
            self._prepare(port)
        self._log.info("listening on {address}", address=port.getHost())
