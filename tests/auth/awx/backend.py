"""A backend that is a stub of AWX in memory, as the tests of scheme ``awx`` have it."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed

from tests.awx_stub import AwxStub
from towerws.auth.backend import Backend, Reply
from towerws.auth.handshake import Handshake


class StubBackend(Backend):
    """Asks a stub, at once or when it is told to.

    Attributes:
        stub: Answers.
        headers: What the last question was asked with.
        held: If not None, questions wait here to be answered.
        lost: How many were cancelled while they waited.
        closed: Whether `close` was called.
    """

    def __init__(self, stub: AwxStub) -> None:
        """Ask a stub.

        Args:
            stub: Answers.
        """
        super().__init__("http://127.0.0.1:9/api/v2/")
        self.stub = stub
        self.headers: Mapping[str, str] = {}
        self.held: list[Deferred[None]] | None = None
        self.lost = 0
        self.closed = False

    def attach(self, reactor: Any) -> None:
        """Need nothing."""

    async def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Ask the stub; see `Backend`."""
        self.headers = headers
        if self.held is not None:
            waiting: Deferred[None] = Deferred(self._count_lost)
            self.held.append(waiting)
            await waiting
        lower = {name.lower(): value for name, value in headers.items()}
        answer = self.stub.answer(f"/api/v2/{path}", lower)
        return Reply(answer.status, answer.body)

    def release(self) -> int:
        """Answer those who wait now.

        Returns:
            How many that were.
        """
        assert self.held is not None, "nobody is held"
        waiting, self.held[:] = list(self.held), []
        for each in waiting:
            if not each.called:
                each.callback(None)
        return len(waiting)

    def close(self) -> Deferred[None]:
        """Note it."""
        self.closed = True
        return succeed(None)

    def _count_lost(self, _: object) -> None:
        self.lost += 1


def handshake(cookie: str = "", **headers: str) -> Handshake:
    """Make a handshake.

    Args:
        cookie: The ``Cookie`` header.
        **headers: Others.
    """
    given = {"cookie": cookie, **headers}
    return Handshake(
        "/websocket/", "192.0.2.1", {name: value for name, value in given.items() if value}
    )
