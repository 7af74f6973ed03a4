"""What tests of `towerws.auth.backend` have in common."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.memory_backend import MemoryBackend
from towerws.auth.backend import Backend, Reply
from towerws.auth.errors import Unavailable

#: Where the backend is.
URL = "http://127.0.0.1:8000/towerws/"


class BackendCase(SynchronousTestCase):
    """A backend that is asked over a network in memory."""

    def setUp(self) -> None:
        """Attach one."""
        self.network = MemoryBackend()
        self.backend = Backend(URL, timeout=2.5, max_body=1000)
        self.backend.attach(self.network.reactor)

    def get(self, path: str = "", headers: Mapping[str, str] = {}) -> Deferred[Reply]:
        """Begin a request."""
        return Deferred.fromCoroutine(self.backend.get(path, headers))

    def refusal(self, asked: Deferred[Reply]) -> str:
        """Give the sentence of a request that came to nothing."""
        return str(self.failureResultOf(asked, Unavailable).value)
