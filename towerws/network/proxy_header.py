"""HAProxy's PROXY header in front of a connection: whatever comes in its place ends it quietly."""

from twisted.internet.interfaces import IListeningPort
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.protocols.policies import WrappingFactory

__all__ = [
    "HAProxyProtocolWrapper",
    "HAProxyWrappingFactory",
    "ProxyHeaderProtocol",
    "expect_header",
]


class ProxyHeaderProtocol(HAProxyProtocolWrapper):
    """Twisted's, which has no public name, and of which a header that is not ASCII raises."""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; drop who sends something else than a header first.

        Args:
            data: As they came.
        """
        try:
            super().dataReceived(data)
        except Exception:  # it says of some that they are wrong, and trips over others
            if self._proxyInfo is not None:
                # It is what comes behind the header, and a fault of ours.
                raise
            self.loseConnection()


def expect_header(port: IListeningPort) -> None:
    """Let wrong headers end connections quietly, if connections of a port begin with one.

    Args:
        port: A listening port of whatever kind, before it has accepted anything.
    """
    factory = getattr(port, "factory", None)
    while isinstance(factory, WrappingFactory):
        if isinstance(factory, HAProxyWrappingFactory):
            factory.protocol = ProxyHeaderProtocol  # type: ignore[assignment]  # a class of it
        factory = factory.wrappedFactory
