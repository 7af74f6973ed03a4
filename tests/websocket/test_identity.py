"""`towerws.websocket.identity`: questions to schemes that are slow, wrong, or away."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.raw_websocket import logged
from towerws.auth.errors import Unavailable
from towerws.auth.interfaces import IUser
from towerws.core.groups import Group
from towerws.websocket.identity import ACCESS_TIMEOUT, GuardedIdentity

_GROUPS = (Group("jobs", "1"), Group("jobs", "2"))


@implementer(IUser)
class _User:
    """A user that answers what a test says."""

    user: object = 7
    csrf_token = None
    expires: float | None = None

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def denied(self, groups: Sequence[Group]) -> Any:
        """See `IUser`."""
        return self._answer()

    def renew(self) -> Any:
        """See `IUser`."""
        return self._answer()


def _raise(error: Exception) -> Any:
    raise error


class IdentityCase(SynchronousTestCase):
    """A test with a session that asks."""

    def setUp(self) -> None:
        """Have nobody asked yet."""
        self.clock = Clock()
        self.unix_time = 1_000_000.0
        self.answers: list[object] = []
        self.faults: list[Exception] = []

    def guard(self, step: Callable[[], None]) -> None:
        """Run a step as a connection does."""
        try:
            step()
        except ZeroDivisionError as error:
            self.faults.append(error)

    def identity(self, user: _User) -> GuardedIdentity:
        """Stand for a user."""
        return GuardedIdentity(user, self.guard, self.clock, lambda: self.unix_time)

    def no_timers(self) -> None:
        """Nothing waits."""
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AccessTests(IdentityCase):
    """What a session gets when it asks for access."""

    def check(self, answer: Callable[[], Any]) -> GuardedIdentity:
        """Ask for two groups."""
        identity = self.identity(_User(answer))
        identity.check_access(_GROUPS, self.answers.append)
        return identity

    def test_who(self) -> None:
        """It is who the scheme said."""
        identity = self.check(tuple)
        self.assertEqual((identity.user, identity.csrf_token), (7, None))

    def test_prompt(self) -> None:
        """An answer at once is passed on, and needs no timer."""
        self.check(lambda: _GROUPS[:1])
        self.check(lambda: succeed(_GROUPS[1:]))
        self.assertEqual(self.answers, [_GROUPS[:1], _GROUPS[1:]])
        self.no_timers()

    def test_late(self) -> None:
        """One that comes later, too."""
        waiting: Deferred[Collection[Group]] = Deferred()
        self.check(lambda: waiting)
        self.clock.advance(ACCESS_TIMEOUT - 1)
        self.assertEqual(self.answers, [])
        waiting.callback(())
        self.assertEqual(self.answers, [()])
        self.no_timers()

    def test_never(self) -> None:
        """Without an answer it is unknown; the question is cancelled, and a late answer is none."""
        cancelled: list[object] = []
        waiting: Deferred[Collection[Group]] = Deferred(cancelled.append)
        with capturedLogs() as events:
            self.check(lambda: waiting)
            self.clock.advance(ACCESS_TIMEOUT)
        self.assertEqual((self.answers, cancelled), ([None], [waiting]))
        self.assertIn("what user 7 may hear cannot be found out", logged(events))
        self.no_timers()

    def test_cannot_be_cancelled(self) -> None:
        """A scheme that goes on all the same is not listened to."""
        waiting: Deferred[Collection[Group]] = Deferred(lambda _: None)
        self.check(lambda: waiting)
        self.clock.advance(ACCESS_TIMEOUT)
        self.assertEqual(self.answers, [None])

    def test_unavailable(self) -> None:
        """What cannot be found out is unknown, with the reason in the log."""
        with capturedLogs() as events:
            self.check(lambda: _raise(Unavailable("the backend is away")))
            self.check(lambda: fail(Unavailable("the backend is away")))
        self.assertEqual(self.answers, [None, None])
        self.assertIn("the backend is away", logged(events))
        self.no_timers()

    def test_fault(self) -> None:
        """A fault ends the connection, now and in a late answer; the caller goes on."""
        self.check(lambda: _raise(ZeroDivisionError()))
        waiting: Deferred[Collection[Group]] = Deferred()
        self.check(lambda: waiting)
        waiting.errback(ZeroDivisionError())
        identity = self.identity(_User(tuple))
        identity.check_access(_GROUPS, lambda denied: _raise(ZeroDivisionError()))
        self.assertEqual((len(self.faults), self.answers), (3, []))
        self.no_timers()

    def test_forgotten(self) -> None:
        """A client that is gone leaves no timer, and its question is cancelled."""
        cancelled: list[object] = []
        identity = self.check(lambda: Deferred(cancelled.append))
        identity.renew(self.answers.append)
        identity.forget()
        identity.forget()
        self.assertEqual((len(cancelled), self.answers, self.faults), (2, [], []))
        self.no_timers()


class RenewalTests(IdentityCase):
    """What a session gets when it asks whether all still holds."""

    def renew(self, answer: Callable[[], Any]) -> GuardedIdentity:
        """Ask."""
        identity = self.identity(_User(answer))
        identity.renew(self.answers.append)
        return identity

    def test_renewed(self) -> None:
        """From then on it is the new user who is asked; the CSRF token stays."""
        renewed = _User(lambda: _GROUPS)
        renewed.expires = 1_000_060.0
        renewed.csrf_token = "another"  # type: ignore[assignment]  # as a scheme may have it
        renewed.user = "7"
        identity = self.renew(lambda: renewed)
        identity.check_access(_GROUPS, self.answers.append)
        self.assertEqual(self.answers, [True, _GROUPS])
        self.assertEqual((identity.expires, identity.csrf_token, identity.user), (60.0, None, 7))

    def test_over(self) -> None:
        """The credentials are those of nobody, or of somebody else."""
        other = _User(tuple)
        other.user = 8
        self.renew(lambda: None)
        self.renew(lambda: succeed(other))
        self.assertEqual(self.answers, [False, False])

    def test_unknown(self) -> None:
        """Nothing changes if it cannot be found out."""
        self.renew(lambda: fail(Unavailable("away")))
        self.renew(Deferred)
        self.clock.advance(ACCESS_TIMEOUT)
        self.assertEqual(self.answers, [True, True])
        self.no_timers()

    def test_beside_a_check(self) -> None:
        """Neither waits for the other."""
        checked: Deferred[Any] = Deferred()
        renewed: Deferred[Any] = Deferred()
        questions = [checked, renewed]
        identity = self.identity(_User(lambda: questions.pop(0)))
        identity.check_access(_GROUPS, self.answers.append)
        identity.renew(self.answers.append)
        renewed.callback(None)
        checked.callback(())
        self.assertEqual(self.answers, [False, ()])
        self.no_timers()

    def test_expires(self) -> None:
        """Unix time becomes that of the session's clock."""
        user = _User(tuple)
        identity = self.identity(user)
        self.assertIsNone(identity.expires)
        user.expires = 1_000_100.0
        self.clock.advance(5)
        self.unix_time += 5
        self.assertEqual(identity.expires, 100.0)
