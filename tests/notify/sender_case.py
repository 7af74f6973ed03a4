"""What the tests of `towerws.notify.sender` have in common."""

import functools
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.notify.fakes import FakeConnection
from towerws.notify.breaker import Breaker
from towerws.notify.errors import ConnectionLost
from towerws.notify.sender import Sender


class SenderCase(SynchronousTestCase):
    """A sender whose connections are fakes, and whose breaker opens for ever."""

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def setUp(self) -> None:
        """Make the sender."""
        self.connections: list[FakeConnection] = []
        self.unreachable = False
        self.sender = self._make(timeout=2.0)

    def _make(self, *, timeout: float, pause: float = 1000.0) -> Sender:
        return Sender(self._connect, timeout, functools.partial(Breaker, pause, pause), self.clock)

    def _connect(self, deadline: float) -> FakeConnection:
        if self.unreachable:
            raise ConnectionLost("connection refused")
        self.connections.append(FakeConnection(self.clock))
        return self.connections[-1]

    def _send(self, body: bytes = b"{}") -> None:
        self.sender.send("jobs-summary", body)

    def _fail(self, failure: BaseException) -> None:
        """Let the next event fail with an exception, and check that the sender raises it."""
        self.connections[-1].failure = failure
        with self.assertRaises(type(failure)):
            self._send()
