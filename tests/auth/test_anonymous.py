"""`towerws.auth.anonymous`: everybody may come in and hear everything."""

from collections.abc import Collection

from autobahn.websocket.types import ConnectionRequest
from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.anonymous import Anonymous, AnonymousIdentity
from towerws.core.groups import Group


class AnonymousTests(SynchronousTestCase):
    """The authenticator and the identity it gives."""

    def test_authenticate(self) -> None:
        """The answer is there at once, without a look at the request."""
        request = ConnectionRequest("tcp4:127.0.0.1:1", {}, "", "/", {}, 13, "", [], [])
        identity = self.successResultOf(Anonymous().authenticate(request))
        self.assertEqual(identity, AnonymousIdentity())

    def test_identity(self) -> None:
        """Nobody by name, with no token to be checked, and no group refused."""
        identity = AnonymousIdentity()
        self.assertIsNone(identity.user)
        self.assertIsNone(identity.csrf_token)
        answers: list[Collection[Group]] = []
        identity.check_access([Group("jobs", "1"), Group("control", "x")], answers.append)
        self.assertEqual([list(answer) for answer in answers], [[]])
