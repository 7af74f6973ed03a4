"""Listening sockets that somebody else has opened, such as systemd."""

import os
import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure


class AdoptedUNIXPort(unix.Port):
    """Accepts from a Unix socket that belongs to somebody else.

    Of such a socket, too, Twisted's own port sets the mode to 0666, unlinks the path at the end,
    and shuts it down, which ends the listening of all other processes that have it.
    """

    _shouldShutdown = False

    def startListening(self) -> None:
        """Begin to accept; this is `tcp.Port.startListening` for a socket that exists."""
        tcp._reservedFD.reserve()  # noqa: SLF001  # what Twisted does for each port
        assert self.factory is not None and self._preexistingSocket is not None, "it is adopted"
        self.factory.doStart()
        self.socket = self._preexistingSocket
        self._preexistingSocket = None
        self.fileno = self.socket.fileno  # type: ignore[method-assign]  # as Twisted's own does
        self.connected = True
        self.numberAccepts = 100
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """Close our descriptor, and leave the path."""
        tcp.Port.connectionLost(self, reason)


class AdoptingReactor:
    """A reactor that leaves the Unix sockets which it adopts as they are."""

    def __init__(self, reactor: Any) -> None:
        """Stand in front of a reactor.

        Args:
            reactor: Does everything else.
        """
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        """Leave it to the reactor."""
        return getattr(self._reactor, name)

    def adoptStreamPort(
        self,
        fileDescriptor: int,  # noqa: N803  # Twisted's names
        addressFamily: int,  # noqa: N803
        factory: IProtocolFactory,
    ) -> IListeningPort:
        """Accept from a socket; see `twisted.internet.interfaces.IReactorSocket`."""
        if addressFamily != socket.AF_UNIX:
            adopted: IListeningPort = self._reactor.adoptStreamPort(
                fileDescriptor, addressFamily, factory
            )
            return adopted
        port: AdoptedUNIXPort = AdoptedUNIXPort._fromListeningDescriptor(  # noqa: SLF001  # as the reactor does
            self._reactor, fileDescriptor, factory
        )
        port.startListening()
        return port


def inherited_address(description: str) -> Any:
    """Look at the socket that an endpoint is to adopt.

    Args:
        description: Of an endpoint of the kind ``systemd``.

    Returns:
        The address it listens on, as `socket.socket.getsockname` gives it.

    Raises:
        ValueError: There is no such socket, or it is another one than the string says; the text is
            a sentence.
    """
    try:
        endpoint: Any = serverFromString(None, description)
        with socket.socket(fileno=os.dup(endpoint.fileno)) as inherited:
            family, address = inherited.family, inherited.getsockname()
            listens = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except (AttributeError, KeyError, IndexError, TypeError):
        # An unknown domain, a name or a number that is none, something else than these three. Where
        # names are missing, as systemd-socket-activate leaves them out, Twisted sees no socket.
        variables = "LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES"
        raise ValueError(f"no such socket was handed over ({variables})") from None
    if not listens or family != endpoint.addressFamily:
        raise ValueError(f"the socket that was handed over is {family.name} and does not fit")
    return address
