"""A site with a JWK set in memory, as the tests of scheme ``jwt`` have it."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from towerws.auth.backend import Backend, Reply
from towerws.auth.errors import Unavailable


class KeySite(Backend):
    """A site that answers when a test says so.

    Attributes:
        requests: Those that wait for their answer.
        asked: How many there have been.
        reactor: What `attach` was given.
        closed: Whether `close` was called.
    """

    def __init__(self) -> None:
        """Wait for requests."""
        super().__init__("https://id.example.org/jwks.json")
        self.requests: list[Deferred[Reply]] = []
        self.asked = 0
        self.reactor: Any = None
        self.closed = False

    def attach(self, reactor: Any) -> None:
        """Take note."""
        self.reactor = reactor

    async def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Wait for `answer`; see `Backend`."""
        assert (path, headers) == ("", {})
        self.asked += 1
        request: Deferred[Reply] = Deferred()
        self.requests.append(request)
        return await request

    def close(self) -> Deferred[None]:
        """Take note."""
        self.closed = True
        return super().close()

    def answer(self, body: bytes, status: int = 200) -> None:
        """Answer the only request that there is."""
        (request,) = self.requests
        self.requests.clear()
        request.callback(Reply(status, body))

    def fail(self) -> None:
        """Let it fail."""
        (request,) = self.requests
        self.requests.clear()
        request.errback(Unavailable("it is away"))
