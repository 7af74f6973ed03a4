"""`towerws.websocket.identity`: questions to schemes that are slow, wrong, or away."""

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.fakes import FakeUser
from tests.expressions import logged, raise_error
from towerws.auth.errors import Unavailable
from towerws.core.groups import Group
from towerws.core.throttle import Throttle
from towerws.websocket.identity import ACCESS_TIMEOUT, GuardedIdentity

_GROUPS = (Group("jobs", "1"), Group("jobs", "2"))


def _user(answer: Callable[[], Any]) -> FakeUser:
    return FakeUser(lambda groups: answer(), answer)


class IdentityCase(SynchronousTestCase):
    """A test with a session that asks."""

    def setUp(self) -> None:
        """Have nobody asked yet."""
        self.clock = Clock()
        self.throttle = Throttle(self.clock.seconds)
        self.unix_time = 1_000_000.0
        self.answers: list[object] = []
        self.faults: list[Exception] = []

    def guard(self, step: Callable[[], None]) -> None:
        """Run a step as a connection does."""
        try:
            step()
        except ZeroDivisionError as error:
            self.faults.append(error)

    def identity(self, user: FakeUser) -> GuardedIdentity:
        """Stand for a user."""
        return GuardedIdentity(user, self.guard, self.clock, self.throttle, lambda: self.unix_time)

    def no_timers(self) -> None:
        """Nothing waits."""
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AccessTests(IdentityCase):
    """What a session gets when it asks for access."""

    def check(self, answer: Callable[[], Any]) -> GuardedIdentity:
        """Ask for two groups."""
        identity = self.identity(_user(answer))
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
        self.assertIn(
            "what user 7 may hear cannot be found out: no answer came within 5.0 s", logged(events)
        )
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
            self.check(lambda: raise_error(Unavailable("the backend is away")))
            self.check(lambda: fail(Unavailable("the backend is away")))
        self.assertEqual(self.answers, [None, None])
        self.assertIn("the backend is away", logged(events))
        self.no_timers()

    def test_fault(self) -> None:
        """A fault ends the connection, now and in a late answer; the caller goes on."""
        self.check(lambda: raise_error(ZeroDivisionError()))
        waiting: Deferred[Collection[Group]] = Deferred()
        self.check(lambda: waiting)
        waiting.errback(ZeroDivisionError())
        identity = self.identity(_user(tuple))
        identity.check_access(_GROUPS, lambda denied: raise_error(ZeroDivisionError()))
        self.assertEqual((len(self.faults), self.answers), (3, []))
        self.no_timers()

    def test_cancelled_by_itself(self) -> None:
        """A scheme that cancels what it asks somebody else does not keep the session waiting."""
        self.check(lambda: fail(CancelledError()))
        waiting: Deferred[Collection[Group]] = Deferred()
        self.check(lambda: waiting)
        waiting.cancel()
        self.assertEqual(self.answers, [None, None])
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
        identity = self.identity(_user(answer))
        identity.renew(self.answers.append)
        return identity

    def test_renewed(self) -> None:
        """From then on it is the new user who is asked; the CSRF token stays."""
        renewed = _user(lambda: _GROUPS)
        renewed.expires = 1_000_060.0
        renewed.csrf_token = "another"
        renewed.user = "7"
        identity = self.renew(lambda: renewed)
        identity.check_access(_GROUPS, self.answers.append)
        self.assertEqual(self.answers, [True, _GROUPS])
        self.assertEqual((identity.expires, identity.csrf_token, identity.user), (60.0, None, 7))

    def test_over(self) -> None:
        """The credentials are those of nobody, or of somebody else."""
        other = _user(tuple)
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
        identity = self.identity(_user(lambda: questions.pop(0)))
        identity.check_access(_GROUPS, self.answers.append)
        identity.renew(self.answers.append)
        renewed.callback(None)
        checked.callback(())
        self.assertEqual(self.answers, [False, ()])
        self.no_timers()

    def test_expires(self) -> None:
        """Unix time becomes that of the session's clock."""
        user = _user(tuple)
        identity = self.identity(user)
        self.assertIsNone(identity.expires)
        user.expires = 1_000_100.0
        self.clock.advance(5)
        self.unix_time += 5
        self.assertEqual(identity.expires, 100.0)
