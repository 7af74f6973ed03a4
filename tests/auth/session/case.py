"""What tests of `towerws.auth.session.checker` have in common."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.memory_backend import MemoryBackend, MemoryConnection
from towerws.auth.backend import Backend
from towerws.auth.handshake import Handshake
from towerws.auth.session.checker import SessionChecker, SessionUser
from towerws.core.metrics import Metrics

ALICE = {"user": 1, "csrftoken": "t0ken", "groups": ["jobs-*", "job_events-42"]}


def handshake(**headers: str) -> Handshake:
    """Make a client's handshake with these headers."""
    return Handshake("/websocket/", "192.0.2.1", headers)


class SessionCase(SynchronousTestCase):
    """A checker, and a backend that answers when the test says so."""

    def setUp(self) -> None:
        """Attach a checker, at Unix time 1000."""
        self.network = MemoryBackend()
        self.metrics = Metrics()
        self.checker = self.make()

    def make(self, **options: Any) -> SessionChecker:
        """Make another checker of the same network."""
        checker = SessionChecker(
            Backend("http://127.0.0.1:8000/towerws/session/"),
            seconds=lambda: 1000 + self.network.reactor.seconds(),
            **options,
        )
        checker.attach(self.network.reactor, self.metrics)
        return checker

    def ask(self, cookie: str = "sessionid=1", **headers: str) -> Deferred[SessionUser]:
        """Let a client come."""
        return self.checker.requestAvatarId(handshake(cookie=cookie, **headers))

    def answer(self, said: object, status: int = 200, *headers: str) -> MemoryConnection:
        """Answer the oldest request."""
        connection = self.network.accept()
        connection.answer(said, status, *headers, "Connection: close")
        connection.close()
        return connection

    def user(self, said: object = ALICE, cookie: str = "sessionid=1") -> SessionUser:
        """Let a client come, of whom the backend says this."""
        asked = self.ask(cookie)
        self.answer(said)
        return self.successResultOf(asked)
