"""Scheme ``awx``: its checker and its users."""

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.auth.awx.backend import StubBackend, handshake
from tests.awx_stub import AwxStub, StubUser
from towerws.auth.awx.checker import AwxChecker, AwxUser
from towerws.auth.awx.objects import Rules
from towerws.auth.errors import Unavailable
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.core.groups import expand
from towerws.core.metrics import Metrics
from towerws.core.patterns import Patterns
from towerws.core.revocation_log import MAX_REVOCATIONS

_COOKIES = 'awx_sessionid="aaa";csrftoken=def'


class AwxCase(SynchronousTestCase):
    """A test with an AWX in memory, where Ann may see one job and one project's update."""

    def setUp(self) -> None:
        """Create AWX and the checker."""
        self.ann = StubUser(5, "ann", visible={"jobs/42/", "project_updates/7/"})
        self.stub = AwxStub(self.ann, StubUser(1, "admin", is_superuser=True))
        self.stub.sessions |= {"aaa": "ann", "root": "admin"}
        self.stub.tokens["t0ken"] = "ann"
        self.metrics = Metrics()
        self.clock = Clock()
        self.backend = StubBackend(self.stub)
        self.checker = self.create()

    def create(self, **settings: Any) -> AwxChecker:
        """Create a checker that is attached."""
        checker = AwxChecker(self.backend, **settings)
        checker.attach(self.clock, self.metrics)
        return checker

    def identify(self, shown: Handshake) -> Deferred[AwxUser]:
        """Show something."""
        return self.checker.requestAvatarId(shown)

    def user(self, cookies: str = _COOKIES) -> AwxUser:
        """Give the user behind some cookies."""
        return self.successResultOf(self.identify(handshake(cookies)))

    def denied(self, user: AwxUser, groups: object) -> list[str]:
        """Ask which groups of a client's dictionary a user may not hear."""
        refused = self.successResultOf(user.denied(expand(groups)))
        return [group.name for group in refused]

    def count(self, result: str) -> int:
        """Tell how many handshakes came to something."""
        name = "towerws_authentications_total"
        return self.metrics.counter(name, "", scheme="awx", result=result).value


class CheckerTests(AwxCase):
    """Who is let in."""

    def test_interfaces(self) -> None:
        """The checker is what it says, and its user too."""
        verifyObject(ICredentialsChecker, self.checker)
        verifyObject(IAttached, self.checker)
        verifyObject(IUser, self.user())
        self.assertEqual(self.checker.credentialInterfaces, (IHandshake,))

    def test_session(self) -> None:
        """A session's cookies show who it is."""
        user = self.user()
        self.assertEqual((user.user, user.csrf_token, user.expires), (5, "def", None))
        self.assertEqual(self.count("accepted"), 1)

    def test_headers(self) -> None:
        """So do a token and a password."""
        for value in ("Bearer t0ken", "Basic YW5uOnN3b3JkZmlzaA=="):
            user = self.successResultOf(self.identify(handshake(authorization=value)))
            self.assertEqual((user.user, user.csrf_token), (5, None))

    def test_old_cookie(self) -> None:
        """An AWX up to 20.0.0 knows its session by another name."""
        self.stub.session_cookie = "sessionid"
        self.assertEqual(self.user('sessionid="aaa";csrftoken=def').user, 5)

    def test_nothing_shown(self) -> None:
        """Who shows nothing is refused without a question."""
        self.failureResultOf(self.identify(handshake("csrftoken=def")), UnauthorizedLogin)
        self.assertEqual(self.stub.asked, [])
        self.assertEqual(self.count("refused"), 1)

    def test_refused(self) -> None:
        """Who shows what AWX does not know is refused, without a secret in the reason."""
        for shown in (
            handshake("sessionid=s3cret"),
            handshake(authorization="Bearer s3cret"),
            handshake(authorization="Basic s3cret"),
        ):
            failure = self.failureResultOf(self.identify(shown), UnauthorizedLogin)
            self.assertNotIn("s3cret", failure.getErrorMessage())
        self.assertEqual(self.count("refused"), 3)

    def test_unavailable(self) -> None:
        """An AWX that does not say leaves it open."""
        self.stub.fault = 502
        self.failureResultOf(self.identify(handshake(_COOKIES)), Unavailable)
        self.assertEqual(self.count("unavailable"), 1)

    def test_secrets(self) -> None:
        """Neither the checker nor the user shows a secret."""
        shown = repr((self.checker, self.user(), self.user()._viewer))
        self.assertNotIn("aaa", shown)
        self.assertNotIn("def", shown)

    def test_forget(self) -> None:
        """A user who is forgotten is asked for anew."""
        self.user()
        self.checker.forget("5")
        self.stub.sessions.clear()
        self.failureResultOf(self.identify(handshake(_COOKIES)), UnauthorizedLogin)

    def test_forget_what_users_hold(self) -> None:
        """Who was revoked does not hear by what they were, also if nobody looked again yet."""
        self.checker = self.create(rules=Rules(status_for_auditors=True))
        admin, ann = self.user("awx_sessionid=root; csrftoken=x"), self.user()
        self.assertEqual(self.denied(admin, {"jobs": ["summary"]}), [])
        self.stub.users["admin"].is_superuser = False
        self.checker.forget("1")
        self.assertEqual(self.denied(admin, {"jobs": ["summary"]}), ["jobs-summary"])
        self.stub.sessions.clear()
        self.checker.forget("1")
        self.assertEqual(self.denied(admin, {"schedules": ["changed"]}), ["schedules-changed"])
        asked = len(self.stub.asked)
        self.assertEqual(self.denied(ann, {"schedules": ["changed"]}), [])
        self.assertEqual(len(self.stub.asked), asked)

    def test_forget_many_others(self) -> None:
        """After more than can be remembered, a user is asked for once more, and not each time."""
        user = self.user()
        for number in range(MAX_REVOCATIONS + 1):
            self.checker.forget(f"1000{number}")
        asked = len(self.stub.asked)
        for times in (1, 1):
            self.clock.advance(60)
            self.assertEqual(self.denied(user, {"schedules": ["changed"]}), [])
            self.assertEqual(len(self.stub.asked), asked + times)

    def test_detach(self) -> None:
        """At the end the backend is closed."""
        self.successResultOf(self.checker.detach())
        self.assertTrue(self.backend.closed)

    def test_reload(self) -> None:
        """There is nothing to read anew, and nothing is forgotten by it."""
        self.user()
        self.checker.reload()
        self.user()
        self.assertEqual(len(self.stub.asked), 1)
        self.assertEqual(list(self.checker.files), [])


class UserTests(AwxCase):
    """What a user may hear."""

    def test_page_of_job(self) -> None:
        """What AWX's interface asks for on a job's page is granted for a visible job alone."""
        user = self.user()
        page = {"jobs": ["status_changed", "summary"], "job_events": ["42"]}
        self.assertEqual(self.denied(user, page), [])
        self.assertEqual(self.denied(user, page | {"job_events": [42, 43]}), ["job_events-43"])

    def test_every_kind(self) -> None:
        """Each kind of events is asked for where its object is."""
        user = self.user()
        groups = {
            "job_events": [7, 42], "project_update_events": [7, 42], "workflow_events": [42],
            "ad_hoc_command_events": [42], "inventory_update_events": [42],
            "system_job_events": [42],
        }  # fmt: skip
        self.assertEqual(
            self.denied(user, groups),
            [
                "job_events-7",
                "project_update_events-42",
                "workflow_events-42",
                "ad_hoc_command_events-42",
                "inventory_update_events-42",
                "system_job_events-42",
            ],
        )
        self.assertEqual(len(self.stub.asked), 1 + 8)
        admin = self.user("awx_sessionid=root; csrftoken=def")
        self.assertEqual(self.denied(admin, groups), [])

    def test_without_asking(self) -> None:
        """Groups without an object, and ids that cannot be, are decided at once."""
        user = self.user()
        self.stub.asked.clear()
        groups = {
            "control": ["limit_reached_5", "limit_reached_1"], "schedules": ["changed"],
            "job_events": ["abc", "0"], "group": ["workflow_jobs"], "broadcast": ["group_send"],
        }  # fmt: skip
        self.assertEqual(
            self.denied(user, groups),
            [
                "control-limit_reached_1",
                "job_events-abc",
                "job_events-0",
                "group-workflow_jobs",
                "broadcast-group_send",
            ],
        )
        self.assertEqual(self.stub.asked, [])

    def test_divided_elsewhere(self) -> None:
        """However a client divides a name, the same is decided."""
        user = self.user()
        for groups in ({"control-limit_reached_1": [""]}, {"": ["job_events-43"]}):
            self.assertEqual(len(self.denied(user, groups)), 1)

    def test_rules(self) -> None:
        """The rules of the options count, and what AWX says of the user with them."""
        rules = Rules(status_for_auditors=True, others=Patterns(["deploy-*"]))
        self.checker = self.create(rules=rules)
        groups = {"jobs": ["summary"], "deploy": ["x"], "other": ["x"]}
        self.assertEqual(self.denied(self.user(), groups), ["jobs-summary", "other-x"])
        admin = self.user("awx_sessionid=root; csrftoken=def")
        self.assertEqual(self.denied(admin, groups), ["other-x"])

    def test_unavailable(self) -> None:
        """Nothing is said while AWX does not say."""
        user = self.user()
        self.stub.fault = 500
        self.failureResultOf(user.denied(expand({"job_events": [42]})), Unavailable)
        self.assertEqual(self.denied(user, {"schedules": ["changed"]}), [])

    def test_renewed(self) -> None:
        """A session that still holds gives the user as of now, and objects are asked for anew."""
        user = self.user()
        self.denied(user, {"job_events": [42]})
        self.ann.visible.clear()
        renewed = self.successResultOf(user.renew())
        assert renewed is not None, "the session still is"
        self.assertEqual((renewed.user, renewed.csrf_token), (5, "def"))
        self.assertEqual(self.denied(renewed, {"job_events": [42]}), ["job_events-42"])

    def test_not_renewed(self) -> None:
        """A session that is over, or another user's now, holds no more."""
        user = self.user()
        self.stub.sessions["aaa"] = "admin"
        self.assertIsNone(self.successResultOf(user.renew()))
        del self.stub.sessions["aaa"]
        self.assertIsNone(self.successResultOf(user.renew()))
        self.stub.fault = 503
        self.failureResultOf(user.renew(), Unavailable)
