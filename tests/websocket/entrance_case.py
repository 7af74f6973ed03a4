"""A listener in memory that is asked by clients from elsewhere."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress

from tests.raw_websocket import REQUEST
from tests.websocket_pair import FakeAuthenticator, ListenerCase

#: Where a client is.
HOME = IPv4Address("TCP", "203.0.113.9", 40_000)


def request(*lines: str) -> bytes:
    """Write a handshake with more headers."""
    more = "".join(f"{line}\r\n" for line in lines).encode("iso-8859-1")
    return REQUEST.replace(b"Upgrade: w", more + b"Upgrade: w")


class EntranceCase(ListenerCase):
    """A test with an authenticator and answers by status."""

    def setUp(self) -> None:
        """Let everybody in."""
        super().setUp()
        self.authenticator = FakeAuthenticator()

    def listen(self, **settings: Any) -> None:
        """Listen with settings."""
        self.listener(self.authenticator, **settings)

    def status(self, peer: IAddress = HOME, *lines: str) -> int:
        """Connect, and stay if that is allowed; give the status."""
        response, self.wire = self.exchange(request(*lines), peer)
        self.body = response.partition(b"\r\n\r\n")[2]
        return int(response.split()[1])

    def limited(self, limit: str) -> float:
        """Tell how often something was over a limit."""
        return self.counted(f'towerws_limited_total{{limit="{limit}"}}')
