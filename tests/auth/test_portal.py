"""`towerws.auth.portal`: several checkers as one authenticator."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from towerws.auth.errors import Unavailable
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.auth.portal import NOBODY, PortalAuthenticator
from towerws.auth.users import User
from towerws.core.metrics import Metrics

_HANDSHAKE = Handshake("/websocket/", "10.0.0.1", {})


@implementer(ICredentialsChecker)
class _Checker:
    """Answers what a test says."""

    credentialInterfaces = (IHandshake,)

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.asked: list[object] = []
        self._answer = answer

    def requestAvatarId(self, credentials: object) -> Any:
        """See `ICredentialsChecker`."""
        self.asked.append(credentials)
        return self._answer()


@implementer(IAttached)
class _Attached(_Checker):
    """Takes note of what the server does with it."""

    files = ("/etc/key",)

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self.calls: list[object] = []
        self.detached: Deferred[None] = Deferred()

    def attach(self, reactor: object, metrics: object) -> None:
        """See `IAttached`."""
        self.calls.append(("attach", reactor, metrics))

    def forget(self, user: str) -> None:
        """See `IAttached`."""
        self.calls.append(("forget", user))

    def reload(self) -> None:
        """See `IAttached`."""
        self.calls.append("reload")

    def detach(self) -> Deferred[None]:
        """See `IAttached`."""
        self.calls.append("detach")
        return self.detached


def _identity(answer: object) -> object:
    return answer


def _unauthorized() -> Any:
    raise UnauthorizedLogin


class AuthenticateTests(SynchronousTestCase):
    """Who is behind a handshake."""

    def ask(self, *checkers: object) -> IUser | None:
        """Ask checkers, all of which answer at once."""
        return self.successResultOf(PortalAuthenticator(checkers).authenticate(_HANDSHAKE))

    def test_known(self) -> None:
        """The checker's answer is the user, whether it comes at once or later."""
        user = User(7)
        checker = _Checker(lambda: user)
        self.assertIs(self.ask(checker), user)
        self.assertEqual(checker.asked, [_HANDSHAKE])
        self.assertIs(self.ask(_Checker(lambda: succeed(user))), user)

    def test_unknown(self) -> None:
        """Nobody, if no checker knows."""
        self.assertIsNone(self.ask(_Checker(_unauthorized)))
        self.assertIsNone(self.ask(_Checker(lambda: fail(UnauthorizedLogin()))))
        self.assertIsNone(self.ask())

    def test_in_order(self) -> None:
        """The first one that knows is believed, and those behind it are not asked."""
        first, last = _Checker(_unauthorized), _Checker(lambda: User(9))
        self.assertEqual(self.ask(first, _Checker(lambda: User(8)), last), User(8))
        self.assertEqual((len(first.asked), last.asked), (1, []))

    def test_anonymous(self) -> None:
        """Twisted's own checker lets everybody in, behind those who may know better."""
        self.assertIs(self.ask(AllowAnonymousAccess()), NOBODY)
        self.assertEqual(self.ask(_Checker(lambda: User(8)), AllowAnonymousAccess()), User(8))
        self.assertIs(self.ask(_Checker(_unauthorized), AllowAnonymousAccess()), NOBODY)
        self.assertIsNone(NOBODY.user)

    def test_is_anonymous(self) -> None:
        """It is known whether everybody is let in."""
        known = _Checker(lambda: User(8))
        for checkers, expected in (
            ((AllowAnonymousAccess(),), True),
            ((known, AllowAnonymousAccess()), True),
            ((known,), False),
        ):
            self.assertEqual(PortalAuthenticator(checkers).is_anonymous, expected)

    def test_unavailable(self) -> None:
        """A checker that cannot find out has been shown something: nobody else is asked."""
        later = _Checker(lambda: User(8))
        authenticator = PortalAuthenticator([_Checker(lambda: fail(Unavailable("away"))), later])
        self.failureResultOf(authenticator.authenticate(_HANDSHAKE), Unavailable)
        self.assertEqual(later.asked, [])

    def test_no_user(self) -> None:
        """A checker that answers with a name, as those of other servers do, is refused."""
        for answer in ("alice", b"alice", 7, None):
            authenticator = PortalAuthenticator([_Checker(partial(_identity, answer))])
            failure = self.failureResultOf(authenticator.authenticate(_HANDSHAKE), TypeError)
            self.assertNotIn("alice", str(failure.value))

    def test_cancelled(self) -> None:
        """A client that leaves takes its question along."""
        cancelled: list[object] = []
        authenticator = PortalAuthenticator([_Checker(lambda: Deferred(cancelled.append))])
        asked = authenticator.authenticate(_HANDSHAKE)
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.assertEqual(len(cancelled), 1)


class AttachTests(SynchronousTestCase):
    """Checkers that take part in the server's life."""

    def test_passed_on(self) -> None:
        """To those that want it."""
        one, other = _Attached(), _Attached()
        authenticator = PortalAuthenticator([one, _Checker(lambda: None), other])
        clock, metrics = Clock(), Metrics()
        authenticator.attach(clock, metrics)
        authenticator.forget("7")
        authenticator.reload()
        expected = [("attach", clock, metrics), ("forget", "7"), "reload"]
        self.assertEqual((one.calls, other.calls), (expected, expected))
        self.assertEqual(authenticator.files, ["/etc/key", "/etc/key"])

    def test_fault(self) -> None:
        """One that fails keeps nobody else from being told, and is in the log."""
        faulty, other = _Attached(), _Attached()
        self.patch(faulty, "forget", lambda user: 1 // 0)
        PortalAuthenticator([faulty, other]).forget("7")
        self.assertEqual(other.calls, [("forget", "7")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_detach(self) -> None:
        """It is done when all have done it."""
        one, other = _Attached(), _Attached()
        done = PortalAuthenticator([one, other]).detach()
        one.detached.callback(None)
        self.assertNoResult(done)
        other.detached.callback(None)
        self.assertIsNone(self.successResultOf(done))
