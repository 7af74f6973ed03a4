"""What the tests of scheme ``jwt`` have in common."""

from pathlib import Path

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import NOW, SECRET
from towerws.auth.handshake import Handshake
from towerws.auth.jwt.checker import JWTChecker, KeySource, TokenUser
from towerws.auth.jwt.claims import Rules
from towerws.auth.jwt.keyfile import FileKeys
from towerws.auth.jwt.keys import ALGORITHMS
from towerws.core.metrics import Metrics


class CheckerCase(SynchronousTestCase):
    """A test with a checker for tokens that are signed with `SECRET`."""

    def setUp(self) -> None:
        """Write the key file, and attach a checker."""
        self.path = self.mktemp()
        Path(self.path).write_bytes(SECRET)
        self.clock = Clock()
        self.clock.advance(NOW)
        self.metrics = Metrics()
        self.checker = self.attach(FileKeys(self.path, ALGORITHMS))

    def attach(self, keys: KeySource) -> JWTChecker:
        """Make a checker, and attach it."""
        checker = JWTChecker(keys, Rules(), cookie="token", seconds=self.clock.seconds)
        checker.attach(self.clock, self.metrics)
        return checker

    def ask(self, token: str, **headers: str) -> Deferred[TokenUser]:
        """Show a token in the Authorization header."""
        headers = {"authorization": f"Bearer {token}"} | headers
        return self.checker.requestAvatarId(Handshake("/websocket/", "192.0.2.1", headers))

    def user(self, token: str) -> TokenUser:
        """Give the user of a good token."""
        return self.successResultOf(self.ask(token))

    def assert_refused(self, asking: Deferred[TokenUser], reason: str) -> None:
        """Check that a handshake is refused, and why."""
        failure = self.failureResultOf(asking, UnauthorizedLogin)
        self.assertEqual(str(failure.value), f"the token is refused: {reason}")

    def counts(self) -> list[int]:
        """Read the counters: accepted, refused, unavailable."""
        return [
            self.metrics.counter(
                "towerws_authentications_total", "", scheme="jwt", result=result
            ).value
            for result in ("accepted", "refused", "unavailable")
        ]
