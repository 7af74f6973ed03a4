"""`towerws.auth.portal`: several checkers as one authenticator."""

import gc
import weakref
from functools import partial
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.fakes import FakeAttachedChecker, FakeChecker
from towerws.auth.errors import Unavailable
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IHandshake, IUser
from towerws.auth.portal import NOBODY, PortalAuthenticator
from towerws.auth.users import User
from towerws.core.metrics import Metrics

_HANDSHAKE = Handshake("/websocket/", "10.0.0.1", {})


def _answer(answer: object, _: object) -> object:
    return answer


def _unauthorized(_: object) -> Any:
    raise UnauthorizedLogin


class _Headers(dict[str, str]):
    """Headers of which it can be seen that they are gone."""


class _Refusing:
    """A checker that knows nobody, and remembers nobody."""

    credentialInterfaces = (IHandshake,)

    def requestAvatarId(self, credentials: Handshake) -> Deferred[User]:
        """Refuse, as late as a coroutine does."""
        return Deferred.fromCoroutine(self._refuse(credentials))

    async def _refuse(self, credentials: Handshake) -> User:
        raise UnauthorizedLogin


class AuthenticateTests(SynchronousTestCase):
    """Who is behind a handshake."""

    def ask(self, *checkers: object) -> IUser | None:
        """Ask checkers, all of which answer at once."""
        return self.successResultOf(PortalAuthenticator(checkers).authenticate(_HANDSHAKE))

    def test_known(self) -> None:
        """The checker's answer is the user, whether it comes at once or later."""
        user = User(7)
        checker = FakeChecker(lambda _: user)
        self.assertIs(self.ask(checker), user)
        self.assertEqual(checker.asked, [_HANDSHAKE])
        self.assertIs(self.ask(FakeChecker(lambda _: succeed(user))), user)

    def test_unknown(self) -> None:
        """Nobody, if no checker knows."""
        self.assertIsNone(self.ask(FakeChecker(_unauthorized)))
        self.assertIsNone(self.ask(FakeChecker(lambda _: fail(UnauthorizedLogin()))))
        self.assertIsNone(self.ask())

    def test_unknown_leaves_nothing(self) -> None:
        """What nobody knows is gone with its cookies, without the garbage collector."""
        gc.disable()
        self.addCleanup(gc.enable)
        shown = Handshake("/websocket/", "192.0.2.1", _Headers())
        headers = weakref.ref(shown.headers)
        authenticator = PortalAuthenticator([_Refusing()])
        self.assertIsNone(self.successResultOf(authenticator.authenticate(shown)))
        del shown
        self.assertIsNone(headers())

    def test_in_order(self) -> None:
        """The first one that knows is believed, and those behind it are not asked."""
        first, last = FakeChecker(_unauthorized), FakeChecker(lambda _: User(9))
        self.assertEqual(self.ask(first, FakeChecker(lambda _: User(8)), last), User(8))
        self.assertEqual((len(first.asked), last.asked), (1, []))

    def test_anonymous(self) -> None:
        """Twisted's own checker lets everybody in, behind those who may know better."""
        self.assertIs(self.ask(AllowAnonymousAccess()), NOBODY)
        self.assertEqual(self.ask(FakeChecker(lambda _: User(8)), AllowAnonymousAccess()), User(8))
        self.assertIs(self.ask(FakeChecker(_unauthorized), AllowAnonymousAccess()), NOBODY)
        self.assertIsNone(NOBODY.user)

    def test_is_anonymous(self) -> None:
        """It is known whether everybody is let in."""
        known = FakeChecker(lambda _: User(8))
        for checkers, expected in (
            ((AllowAnonymousAccess(),), True),
            ((known, AllowAnonymousAccess()), True),
            ((known,), False),
        ):
            self.assertEqual(PortalAuthenticator(checkers).is_anonymous, expected)

    def test_unavailable(self) -> None:
        """A checker that cannot find out has been shown something: nobody else is asked."""
        later = FakeChecker(lambda _: User(8))
        authenticator = PortalAuthenticator(
            [FakeChecker(lambda _: fail(Unavailable("away"))), later]
        )
        self.failureResultOf(authenticator.authenticate(_HANDSHAKE), Unavailable)
        self.assertEqual(later.asked, [])

    def test_no_user(self) -> None:
        """A checker that answers with a name, as those of other servers do, is refused."""
        for answer in ("alice", b"alice", 7, None):
            authenticator = PortalAuthenticator([FakeChecker(partial(_answer, answer))])
            failure = self.failureResultOf(authenticator.authenticate(_HANDSHAKE), TypeError)
            self.assertNotIn("alice", str(failure.value))

    def test_cancelled(self) -> None:
        """A client that leaves takes its question along."""
        cancelled: list[object] = []
        authenticator = PortalAuthenticator([FakeChecker(lambda _: Deferred(cancelled.append))])
        asked = authenticator.authenticate(_HANDSHAKE)
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.assertEqual(len(cancelled), 1)


class AttachTests(SynchronousTestCase):
    """Checkers that take part in the server's life."""

    def test_passed_on(self) -> None:
        """To those that want it."""
        one, other = FakeAttachedChecker(), FakeAttachedChecker()
        authenticator = PortalAuthenticator([one, FakeChecker(lambda _: None), other])
        clock, metrics = Clock(), Metrics()
        authenticator.attach(clock, metrics)
        authenticator.forget("7")
        self.assertTrue(authenticator.reload())
        expected = [("attach", clock, metrics), ("forget", "7"), "reload"]
        self.assertEqual((one.calls, other.calls), (expected, expected))
        self.assertEqual(authenticator.files, ["/etc/key", "/etc/key"])

    def test_reload_fails(self) -> None:
        """It is told if one could not be read, or had a fault; the others have been read."""
        one, other = FakeAttachedChecker(), FakeAttachedChecker()
        one.reloaded = False
        self.assertFalse(PortalAuthenticator([one, other]).reload())
        self.assertEqual(other.calls, ["reload"])
        self.patch(one, "reload", lambda: 1 // 0)
        self.assertFalse(PortalAuthenticator([one, other]).reload())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fault(self) -> None:
        """One that fails keeps nobody else from being told, and is in the log."""
        faulty, other = FakeAttachedChecker(), FakeAttachedChecker()
        self.patch(faulty, "forget", lambda user: 1 // 0)
        PortalAuthenticator([faulty, other]).forget("7")
        self.assertEqual(other.calls, [("forget", "7")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_detach(self) -> None:
        """It is done when all have done it."""
        one, other = FakeAttachedChecker(), FakeAttachedChecker()
        done = PortalAuthenticator([one, other]).detach()
        one.detached.callback(None)
        self.assertNoResult(done)
        other.detached.callback(None)
        self.assertIsNone(self.successResultOf(done))
