"""How a host is found and reached: by whatever name the system knows, at whichever address."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, FailureGroup, race
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.task import deferLater
from zope.interface import implementer

#: Seconds after which the next address of a host is tried beside those before: what RFC 8305
#: recommends at least, and Twisted's HostnameEndpoint does.
ATTEMPT_DELAY = 0.3


@implementer(IStreamClientEndpoint)
class HostEndpoint:
    """Connects to the address of a host that answers first.

    Twisted's HostnameEndpoint insists on names that are valid IDNA, which those of Docker's
    containers, such as ``rabbit_1``, are not. Here the system decides what is a name.
    """

    def __init__(self, reactor: Any, host: str, port: int, timeout: float) -> None:
        """Prepare.

        Args:
            reactor: Resolves and connects.
            host: A name or an address, in ASCII.
            port: The TCP port.
            timeout: Seconds for a connection to one address.
        """
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect; see `IStreamClientEndpoint`.

        Args:
            protocolFactory: Makes the protocol of the connection.

        Returns:
            Fires with the protocol; fails with a `twisted.internet.error.ConnectError` or
            `DNSLookupError`.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        addresses = _Addresses()
        self._reactor.nameResolver.resolveHostName(
            addresses, self._host, portNumber=self._port, transportSemantics="TCP"
        )
        await addresses.complete
        if not addresses.found:
            raise DNSLookupError("the address of the host was not found")
        try:
            _, protocol = await race(
                [
                    Deferred.fromCoroutine(self._attempt(address, factory, number * ATTEMPT_DELAY))
                    for number, address in enumerate(addresses.found)
                ]
            )
        except FailureGroup as group:
            group.failures[-1].raiseException()
        return protocol

    async def _attempt(
        self, address: IPv4Address | IPv6Address, factory: IProtocolFactory, delay: float
    ) -> IProtocol:
        if delay:
            await deferLater(self._reactor, delay)
        kind = TCP6ClientEndpoint if isinstance(address, IPv6Address) else TCP4ClientEndpoint
        endpoint = kind(self._reactor, address.host, address.port, self._timeout)
        return await endpoint.connect(factory)


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects what a name resolves to."""

    def __init__(self) -> None:
        self.found: list[IPv4Address | IPv6Address] = []
        self.complete: Deferred[None] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        pass

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802
        if isinstance(address, IPv4Address | IPv6Address):
            self.found.append(address)

    def resolutionComplete(self) -> None:  # noqa: N802
        self.complete.callback(None)
