"""Tests of `towerws.auth.session.checker`, with a backend in memory."""

from twisted.cred.error import UnauthorizedLogin
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from tests.auth.session.case import ALICE, SessionCase, handshake
from towerws.auth.errors import Unavailable
from towerws.auth.interfaces import IAttached, IUser
from towerws.auth.session.checker import MAX_CREDENTIALS, SessionUser
from towerws.core.groups import Group
from towerws.core.patterns import Patterns


class AuthenticationTests(SessionCase):
    """From a handshake to a user."""

    def test_user(self) -> None:
        """The user is what the backend says."""
        user = self.user(ALICE | {"expires": 1060})
        verifyObject(IUser, user)
        self.assertEqual((user.user, user.csrf_token, user.expires), (1, "t0ken", 1060))
        groups = [Group("jobs", "summary"), Group("job_events", "42"), Group("job_events", "43")]
        self.assertEqual(self.successResultOf(user.denied(groups)), groups[2:])

    def test_what_is_sent(self) -> None:
        """The backend gets the two headers, nothing else of the client's."""
        self.ask("a=1; b=2", authorization="Bearer x", origin="http://a", host="ws.example")
        target, headers = self.network.accept().request()
        self.assertEqual(target, "/towerws/session/")
        self.assertEqual(headers.pop("host"), "127.0.0.1:8000")
        self.assertEqual(
            headers,
            {
                "cookie": "a=1; b=2",
                "authorization": "Bearer x",
                "accept": "application/json",
                "user-agent": "towerws",
            },
        )

    def test_one_of_the_two(self) -> None:
        """A header that the client did not send is not sent either."""
        for headers in ({"cookie": "a=1"}, {"authorization": "Bearer x"}):
            self.checker.requestAvatarId(handshake(**headers))
            sent = self.network.accept().request()[1]
            self.assertEqual(
                {name: sent[name] for name in ("cookie", "authorization") if name in sent}, headers
            )

    def test_nothing_shown(self) -> None:
        """For a client without either header the backend is not asked."""
        for headers in ({}, {"cookie": ""}, {"cookie": " ", "authorization": "\t"}):
            asked = self.checker.requestAvatarId(handshake(**headers))
            self.failureResultOf(asked, UnauthorizedLogin)
        self.assertEqual(self.network.knocking, 0)

    def test_unusable_headers(self) -> None:
        """Headers that are too long, or that HTTP cannot carry, are the client's fault."""
        for cookie in ("x" * (MAX_CREDENTIALS + 1), "a=\x00", "\u20ac"):
            reason = self.failureResultOf(self.ask(cookie), UnauthorizedLogin)
            self.assertNotIn(cookie, str(reason.value))
        self.assertEqual(self.network.knocking, 0)
        self.ask("x" * MAX_CREDENTIALS)
        self.assertEqual(self.network.knocking, 1)

    def test_refused(self) -> None:
        """Not logged in, not allowed, sent to a login page, nobody, expired: not shown."""
        for number, (said, status) in enumerate(
            (
                (b"", 401),
                (b"", 403),
                (b"", 302),
                (b"", 303),
                (b"", 307),
                (b"", 431),
                ({"user": None}, 200),
                (ALICE | {"expires": 1000}, 200),
            )
        ):
            asked = self.ask(f"sessionid={number}")
            self.answer(said, status)
            self.failureResultOf(asked, UnauthorizedLogin)

    def test_unavailable(self) -> None:
        """Anything else is nobody's fault but the backend's, and whoever asked can say so."""
        cases = (
            (b"secret", 500, "answers with status 500"),
            (b"", 404, "answers with status 404"),
            (b"", 301, "answers with status 301"),
            (b"<html>secret", 200, "is not JSON"),
            ({"name": "secret"}, 200, "is no object with a user"),
            ({"user": 1, "groups": ["secret!"]}, 200, "has groups that cannot be"),
            ({"user": 1}, 200, "has no groups"),
        )
        for number, (said, status, text) in enumerate(cases):
            asked = self.ask(f"sessionid={number}")
            with capturedLogs() as events:
                self.answer(said, status)
            reason = self.failureResultOf(asked, Unavailable)
            self.assertIn(text, str(reason.value))
            self.assertNotIn("secret", str(reason.value))
            self.assertEqual(events, [])
        counted = self.metrics.counter(
            "towerws_authentications_total", "", scheme="session", result="unavailable"
        )
        self.assertEqual(counted.value, len(cases))

    def test_default_groups(self) -> None:
        """An option gives the groups of those of whom the backend does not."""
        self.checker = self.make(groups=Patterns(["schedules-*"]))
        user = self.user({"user": "alice"})
        self.assertEqual(self.successResultOf(user.denied([Group("schedules", "changed")])), [])
        self.assertEqual(len(self.successResultOf(user.denied([Group("jobs", "summary")]))), 1)
        other = self.user({"user": "bob", "groups": []}, "sessionid=2")
        self.assertEqual(
            len(self.successResultOf(other.denied([Group("schedules", "changed")]))), 1
        )


class RenewalTests(SessionCase):
    """Whether the session still is what it was."""

    def _renew(self, user: SessionUser, said: object, status: int = 200) -> SessionUser | None:
        renewed = user.renew()
        self.answer(said, status)
        return self.successResultOf(renewed)

    def test_renewed(self) -> None:
        """The backend is asked, whatever is remembered; its answer may have changed."""
        user = self._renew(self.user(), {"user": 1, "groups": ["jobs-*"], "expires": 2000})
        assert user is not None
        self.assertEqual((user.user, user.expires), (1, 2000))
        self.assertEqual(len(self.successResultOf(user.denied([Group("job_events", "42")]))), 1)
        self.assertEqual(self.successResultOf(self.ask()).expires, 2000)

    def test_no_more(self) -> None:
        """A session that ended, or became somebody else's, is none; nor can it be used again."""
        for number, (said, status) in enumerate(
            ((b"", 401), (ALICE | {"user": 2}, 200), (ALICE | {"user": "1"}, 200))
        ):
            user = self.user(ALICE, f"sessionid={number}")
            self.assertIsNone(self._renew(user, said, status))
        self.user(ALICE, "sessionid=9")
        first = self.successResultOf(self.ask("sessionid=9"))
        self._renew(first, b"", 403)
        self.failureResultOf(self.ask("sessionid=9"), UnauthorizedLogin)

    def test_unavailable(self) -> None:
        """A backend that is away is not taken for the end of a session."""
        renewed = self.user().renew()
        self.network.refuse()
        self.failureResultOf(renewed, Unavailable)

    def test_one_question(self) -> None:
        """All connections of a session that look again together are one question."""
        users = [self.user(), self.successResultOf(self.ask())]
        renewed = [each.renew() for each in users]
        self.assertEqual(self.network.knocking, 1)
        self.answer(ALICE)
        for each in renewed:
            self.assertEqual(self.successResultOf(each).user, 1)


class CheckerTests(SessionCase):
    """Its place in the server."""

    def test_interface(self) -> None:
        """It takes part in the server's life, and has no files to look after."""
        verifyObject(IAttached, self.checker)
        self.assertEqual(list(self.checker.files), [])
        self.assertIsNone(self.checker.reload())  # type: ignore[func-returns-value]

    def test_detach(self) -> None:
        """In the end nothing is asked any more."""
        self.user()
        self.successResultOf(self.checker.detach())
        self.failureResultOf(self.ask(), Unavailable)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])
