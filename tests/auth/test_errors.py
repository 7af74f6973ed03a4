"""`towerws.auth.errors`: what goes wrong beside being nobody."""

from twisted.cred.error import LoginFailed
from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.errors import Unavailable


class UnavailableTests(SynchronousTestCase):
    """`Unavailable`."""

    def test_is_no_failed_login(self) -> None:
        """A backend that is away is not mistaken for a client that is nobody."""
        self.assertFalse(issubclass(Unavailable, LoginFailed))
        self.assertEqual(str(Unavailable("the backend is away")), "the backend is away")
