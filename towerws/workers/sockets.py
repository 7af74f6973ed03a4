"""Sockets that the supervisor opens and the workers accept from.

Both run the same endpoint string, each on a reactor of its own kind: the supervisor's opens sockets
and accepts nothing, the worker's accepts from what was opened. So every kind of endpoint works as
it does without workers, ``haproxy:`` included. TLS is on top of them, see `towerws.network.tls`,
and the worker's part.
"""

import os
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import unix
from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from zope.interface import implementer

from towerws.network.adopting import AdoptingReactor

#: An endpoint that adopts what systemd has handed over, behind any number of ``haproxy:``.
_SYSTEMD = re.compile(r"((?:haproxy:)*)systemd:.*", re.DOTALL)


@implementer(IListeningPort)
class HeldPort:
    """Listening sockets from which this process does not accept.

    Attributes:
        sockets: One for each worker, on the same address, or one for all.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], release: Callable[[], Any] | None = None
    ) -> None:
        """Hold sockets.

        Args:
            sockets: They listen already.
            release: Closes them, if more is to be done than that.
        """
        self.sockets = sockets
        self._release = release

    def startListening(self) -> None:
        """Nothing: the sockets listen."""

    def stopListening(self) -> Deferred[None]:
        """Close our descriptors. The workers have theirs, so nothing is shut down."""
        return maybeDeferred(self._release or self._close)

    def getHost(self) -> IAddress:
        """Give the address."""
        address = self.sockets[0].getsockname()
        family = self.sockets[0].family
        if family == socket.AF_UNIX:
            return UNIXAddress(address)
        kind = IPv6Address if family == socket.AF_INET6 else IPv4Address
        return kind("TCP", *address)

    def _close(self) -> None:
        for each in self.sockets:
            each.close()


class OpeningReactor:
    """As much of a reactor as server endpoints need; opens sockets and accepts nothing."""

    def __init__(self, reactor: Any, copies: int) -> None:
        """Prepare.

        Args:
            reactor: The real one.
            copies: How many sockets to open on each TCP address. The kernel spreads connections
                over them, and those that wait at the socket of a worker which ended are not lost:
                its successor gets the same socket.
        """
        self._reactor = reactor
        self._copies = copies

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> HeldPort:
        """Open sockets; see `twisted.internet.interfaces.IReactorTCP`."""
        family, address = socket.AF_INET, (interface, port)
        if isIPv6Address(interface):
            family = socket.AF_INET6
            flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            address = socket.getaddrinfo(interface, port, flags=flags)[0][4]  # type: ignore[assignment]  # with its scope
        sockets: list[socket.socket] = []
        try:
            for _ in range(self._copies):
                sockets.append(_bound(family, address, first=not sockets))
                address = sockets[0].getsockname()
            for each in sockets:
                each.listen(backlog)
        except BaseException:
            HeldPort(sockets).stopListening()
            raise
        return HeldPort(sockets)

    def listenUNIX(
        self,
        address: Any,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,  # noqa: N803
    ) -> HeldPort:
        """Open a socket; see `twisted.internet.interfaces.IReactorUNIX`."""
        port = _IdleUNIXPort(address, factory, backlog, mode, self._reactor, wantPID)
        port.startListening()
        return HeldPort([port.socket], port.stopListening)

    def adoptStreamPort(
        self,
        fileDescriptor: int,  # noqa: N803
        addressFamily: int,  # noqa: N803
        factory: IProtocolFactory,
    ) -> HeldPort:
        """Hold a socket; see `twisted.internet.interfaces.IReactorSocket`."""
        return HeldPort([socket.socket(fileno=os.dup(fileDescriptor))])


class AcceptingReactor(AdoptingReactor):
    """A reactor whose endpoints, whatever address they name, accept from one descriptor."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        """Prepare.

        Args:
            reactor: The real one.
            descriptor: A listening socket; closed when it has been adopted, and to be used once.
        """
        super().__init__(reactor)
        self._descriptor = descriptor

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Accept from the descriptor; see `twisted.internet.interfaces.IReactorTCP`."""
        with socket.socket(fileno=self._descriptor) as listening:
            listening.setblocking(False)
            return self.adoptStreamPort(listening.fileno(), listening.family, factory)

    def listenUNIX(
        self,
        address: object,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,  # noqa: N803
    ) -> IListeningPort:
        """Accept from the descriptor; see `twisted.internet.interfaces.IReactorUNIX`."""
        return self.listenTCP(0, factory)


def accepting_description(description: str) -> str:
    """Say what endpoint a worker is to run.

    Args:
        description: The endpoint string of the command line.

    Returns:
        The same; but what systemd has handed over was handed to the supervisor, so in a worker any
        endpoint will do that is as bare.
    """
    handed_over = _SYSTEMD.fullmatch(description)
    return f"{handed_over[1]}tcp:0" if handed_over else description


class _IdleUNIXPort(unix.Port):
    """Makes the socket, its mode and its lock file as Twisted does, and does not accept."""

    _shouldShutdown = False

    def startReading(self) -> None:
        pass


def _bound(family: int, address: Any, *, first: bool) -> socket.socket:
    """Bind a socket that others may be bound beside, but no stranger's."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not first:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        if first:
            # Only now: two servers that both ask for it before would share the port, and each
            # would get some of the clients.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        bound.close()
        raise
    return bound
