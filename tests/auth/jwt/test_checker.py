"""`towerws.auth.jwt.checker`: from a handshake with a token to a user."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import InvalidAuthArgumentString
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from tests.auth.jwt.case import CheckerCase
from tests.auth.jwt.issuer import NOW, SECRET, jwk, jwk_set, make_token, new_key, public_pem
from tests.properties import CHARACTERS, PROPERTY
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.auth.jwt.arguments import make_checker
from towerws.auth.jwt.checker import JWTChecker
from towerws.auth.schemes import jwt as scheme
from towerws.core.groups import Group


class UserTests(CheckerCase):
    """The user of a good token."""

    def test_user(self) -> None:
        """All that the token says, and nothing of the token."""
        token = make_token()
        user = self.user(token)
        self.assertEqual((user.user, user.csrf_token, user.expires), ("alice", None, NOW + 330))
        groups = [Group("jobs", "summary"), Group("job_events", "42"), Group("job_events", "421")]
        self.assertEqual(user.denied(groups), groups[2:])
        self.assertTrue(verifyObject(IUser, user))
        for text in (repr(user), repr(self.checker)):
            self.assertNotIn(token.split(".")[2], text)
            self.assertNotIn(SECRET.decode(), text)
        self.assertEqual(self.counts(), [1, 0, 0])

    def test_csrf_token(self) -> None:
        """Asked for only where the browser sent the token by itself."""
        token = make_token(csrf="page")
        self.assertIsNone(self.user(token).csrf_token)
        cookie = Handshake("/", "", {"cookie": f"token={token}"})
        user = self.successResultOf(self.checker.requestAvatarId(cookie))
        self.assertEqual(user.csrf_token, "page")
        cookie = Handshake("/", "", {"cookie": f"token={make_token()}"})
        self.assertIsNone(self.successResultOf(self.checker.requestAvatarId(cookie)).csrf_token)

    def test_subprotocol(self) -> None:
        """What the page of a browser can do."""
        offered = ("towerws.awx", f"bearer.{make_token(sub=7)}")
        user = self.successResultOf(
            self.checker.requestAvatarId(Handshake("/", "", {}, subprotocols=offered))
        )
        self.assertEqual(user.user, 7)

    def test_renew(self) -> None:
        """It holds until it expires, to the moment."""
        user = self.user(make_token())
        self.assertIs(user.renew(), user)
        self.clock.advance(329.9)
        self.assertIs(user.renew(), user)
        self.clock.advance(0.1)
        self.assertIsNone(user.renew())

    def test_key_withdrawn(self) -> None:
        """It holds no more when its key is gone from the file, and does as long as it is there."""
        user = self.user(make_token())
        Path(self.path).write_bytes(jwk_set(jwk(SECRET, kid="old"), jwk(new_key())))
        self.checker.reload()
        self.assertIs(user.renew(), user)
        Path(self.path).write_bytes(public_pem(new_key()))
        self.checker.reload()
        self.assertIsNone(user.renew())
        self.assert_refused(self.ask(make_token()), "its key is not known")


class RefusalTests(CheckerCase):
    """What is refused, and what is said of it."""

    def test_reasons(self) -> None:
        """From each step: where the token is, its signature, its claims."""
        for asking, reason in (
            (self.ask("", authorization=""), "there is none"),
            (self.ask("x"), "it is no signed token"),
            (self.ask(make_token(new_key(), "EdDSA")), "its key is not known"),
            (self.ask(make_token(SECRET[:-1])), "its signature is wrong"),
            (self.ask(make_token(exp=NOW - 30)), "it has expired"),
            (self.ask(make_token(aud="somebody")), "it is for somebody else"),
        ):
            self.assert_refused(asking, reason)
        self.assertEqual(self.counts(), [0, 6, 0])

    def test_log(self) -> None:
        """A line a minute for each reason, with nothing of the token; none for no token."""
        token = make_token(exp=NOW - 30)
        with capturedLogs() as events:
            for _ in range(3):
                self.assert_refused(self.ask(token), "it has expired")
            self.assert_refused(self.ask(make_token(sub="")), "its subject is no user")
            self.clock.advance(60)
            self.assert_refused(self.ask(token), "it has expired")
        lines = [event["log_format"].format(**event) for event in events]
        self.assertEqual(
            lines,
            [
                "refused a token: it has expired",
                "refused a token: its subject is no user",
                "refused a token: it has expired (2 such lines held back)",
            ],
        )
        self.assertNotIn(token[:20], repr(events))
        with capturedLogs() as events:
            self.assert_refused(self.ask("", authorization=""), "there is none")
        self.assertEqual([event["log_level"] for event in events], [LogLevel.debug])

    @PROPERTY
    @given(
        st.text(CHARACTERS),
        st.lists(st.text(CHARACTERS).map("bearer.{}".format), max_size=2),
        st.text(CHARACTERS).map("token={}".format),
    )
    def test_anything(self, authorization: str, subprotocols: list[str], cookie: str) -> None:
        """Whatever a client sends, it is refused and nothing else."""
        headers = {"authorization": f"Bearer {authorization}", "cookie": cookie}
        asking = self.checker.requestAvatarId(Handshake("/", "", headers, tuple(subprotocols)))
        self.failureResultOf(asking, UnauthorizedLogin)


class SchemeTests(CheckerCase):
    """What ``--auth`` finds."""

    def test_interfaces(self) -> None:
        """It is what Twisted and the server expect."""
        self.assertTrue(verifyObject(ICredentialsChecker, self.checker))
        self.assertTrue(verifyObject(IAttached, self.checker))
        self.assertEqual(tuple(self.checker.credentialInterfaces), (IHandshake,))
        self.assertEqual(self.checker.files, (str(Path(self.path).absolute()),))
        self.checker.forget("alice")
        self.assertIsNone(self.checker.detach())

    def test_make_checker(self) -> None:
        """The arguments make a checker, and the real time is what it goes by."""
        self.checker = make_checker(f"key={self.path},cookie=session")
        self.checker.attach(self.clock, self.metrics)
        self.assertEqual(self.checker.files, (str(Path(self.path).absolute()),))
        self.assert_refused(self.ask(make_token(exp=1_700_000_000)), "it has expired")
        self.assertEqual(self.user(make_token(exp=4_000_000_000)).user, "alice")
        self.assertRaises(InvalidAuthArgumentString, make_checker, "key=/nowhere")

    def test_plugin(self) -> None:
        """The plugin knows the way."""
        self.assertIsInstance(scheme.generateChecker(f"key={self.path}"), JWTChecker)
        self.assertTrue(scheme.argStringFormat.startswith("{key=FILE|jwks=URL}"))
        self.assertIn("JSON Web Token", scheme.authHelp)
