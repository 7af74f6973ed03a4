"""`towerws.auth.users`: a user of whom everything is known from the start."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from towerws.auth.interfaces import IUser
from towerws.auth.users import EVERYTHING, User
from towerws.core.groups import Group
from towerws.core.patterns import Patterns


class UserTests(SynchronousTestCase):
    """`User`."""

    def test_interface(self) -> None:
        """It is what schemes give."""
        self.assertTrue(verifyObject(IUser, User(1)))

    def test_defaults(self) -> None:
        """Unless told otherwise: everything, for ever, and no token with each frame."""
        user = User("alice")
        self.assertEqual((user.user, user.csrf_token, user.expires), ("alice", None, None))
        self.assertIs(user.groups, EVERYTHING)
        self.assertEqual(list(user.denied([Group("jobs", "1"), Group("control", "x")])), [])

    def test_denied(self) -> None:
        """Refused is what no pattern allows, in the order that was asked."""
        user = User(1, Patterns(["jobs-*", "job_events-42"]))
        asked = [Group("schedules", "1"), Group("jobs", "1"), Group("job_events", "4")]
        self.assertEqual(list(user.denied(asked)), [asked[0], asked[2]])
        self.assertEqual(list(User(1, Patterns([])).denied(asked)), asked)

    def test_renew(self) -> None:
        """It is the same user until the second of the expiry, and nobody from then on."""
        clock = Clock()
        user = User(1, expires=10.0, seconds=clock.seconds)
        clock.advance(9.5)
        self.assertIs(user.renew(), user)
        clock.advance(0.5)
        self.assertIsNone(user.renew())
        clock.advance(1e9)
        self.assertIsNone(user.renew())

    def test_renew_for_ever(self) -> None:
        """Without an expiry there is nothing to ask the time for."""
        user = User(None, seconds=lambda: self.fail("asked the time"))
        self.assertIs(user.renew(), user)

    def test_repr_has_no_token(self) -> None:
        """The CSRF token is a secret between the page and its server."""
        self.assertNotIn("s3cret", repr(User(1, csrf_token="s3cret")))
