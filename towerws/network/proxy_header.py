"""HAProxy's PROXY header in front of a connection: whatever comes in its place ends it quietly."""

from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory

__all__ = ["HAProxyProtocolWrapper", "HAProxyWrappingFactory", "ProxyHeaderProtocol"]


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
