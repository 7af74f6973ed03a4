"""Tests of `towerws.auth.outcomes`."""

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.errors import Unavailable
from towerws.auth.outcomes import Authentications
from towerws.core.metrics import Metrics


class AuthenticationsTests(SynchronousTestCase):
    """Counters of a scheme."""

    def setUp(self) -> None:
        """Begin at 0."""
        self.metrics = Metrics()
        self.authentications = Authentications(self.metrics, "session")

    def _count(self, result: str) -> int:
        name = f'towerws_authentications_total{{result="{result}",scheme="session"}} '
        lines = [line for line in self.metrics.render().splitlines() if line.startswith(name)]
        self.assertEqual(len(lines), 1)
        return int(lines[0].removeprefix(name))

    def test_results(self) -> None:
        """Each result is counted and passed on."""
        count = self.authentications.count
        self.assertEqual(self.successResultOf(count(succeed("user"))), "user")
        self.failureResultOf(count(fail(UnauthorizedLogin())), UnauthorizedLogin)
        self.failureResultOf(count(fail(UnauthorizedLogin())), UnauthorizedLogin)
        self.failureResultOf(count(fail(Unavailable("away"))), Unavailable)
        counts = [self._count(each) for each in ("accepted", "refused", "unavailable")]
        self.assertEqual(counts, [1, 2, 1])

    def test_others(self) -> None:
        """A client that left, or a fault of ours, is no result."""
        left: Deferred[None] = self.authentications.count(Deferred())
        left.cancel()
        self.failureResultOf(left, CancelledError)
        self.failureResultOf(
            self.authentications.count(fail(ZeroDivisionError())), ZeroDivisionError
        )
        counts = [self._count(each) for each in ("accepted", "refused", "unavailable")]
        self.assertEqual(counts, [0, 0, 0])
