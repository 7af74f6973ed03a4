"""Asking AWX, and how often."""

from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.awx.backend import StubBackend, handshake
from tests.awx_stub import Answer, AwxStub, StubUser
from towerws.auth.awx import api
from towerws.auth.awx.api import AT_ONCE, AwxApi, Viewer
from towerws.auth.awx.credentials import Credentials, read_credentials
from towerws.auth.awx.objects import Account
from towerws.auth.errors import Unavailable
from towerws.core.metrics import Counter

_T = TypeVar("_T")

_ME = "/api/v2/me/"


class AwxApiCase(SynchronousTestCase):
    """A test with an AWX in memory, where Ann may see the jobs 1 to 50."""

    def setUp(self) -> None:
        """Create AWX, and what asks it."""
        self.ann = StubUser(5, "ann", visible={f"jobs/{number}/" for number in range(1, 51)})
        self.stub = AwxStub(self.ann, StubUser(6, "ben", is_system_auditor=True))
        self.stub.sessions |= {"aaa": "ann", "bbb": "ben"}
        self.clock = Clock()
        self.backend = StubBackend(self.stub)
        self.evictions = Counter()
        self.api = AwxApi(self.backend, self.clock, self.evictions, keep=10, keep_refused=2)

    def ask(self, question: Coroutine[Deferred[Any], Any, _T]) -> Deferred[_T]:
        """Begin to ask."""
        return Deferred.fromCoroutine(question)

    def credentials(self, session: str) -> Credentials:
        """Give the credentials of a session."""
        found = read_credentials(handshake(f'awx_sessionid="{session}";csrftoken=def'))
        assert found is not None, "there are no credentials"
        return found

    def identify(self, session: str) -> Viewer | None:
        """Ask who somebody is."""
        return self.successResultOf(self.ask(self.api.identify(self.credentials(session))))

    def viewer(self, session: str = "aaa") -> Viewer:
        """Ask who somebody is, of whom AWX knows."""
        viewer = self.identify(session)
        assert viewer is not None, "AWX does not know the session"
        return viewer

    def hidden(self, viewer: Viewer, *paths: str) -> Collection[str]:
        """Ask which objects are hidden."""
        return self.successResultOf(self.ask(self.api.hidden_from(viewer, paths)))


class IdentifyTests(AwxApiCase):
    """Who somebody is."""

    def test_known(self) -> None:
        """AWX says who has the session."""
        self.assertEqual(self.viewer("aaa").account, Account(5))
        self.assertEqual(self.viewer("bbb").account, Account(6, is_auditor=True))
        self.assertEqual(self.stub.asked, [_ME, _ME])

    def test_quiet(self) -> None:
        """To be asked about prolongs no session, and the answer is asked for as JSON."""
        self.hidden(self.viewer(), "jobs/1/")
        self.assertEqual(self.stub.prolonged, 0)
        self.assertEqual(self.backend.headers["Accept"], "application/json")

    def test_unknown(self) -> None:
        """A session that is over is nobody's."""
        self.assertIsNone(self.identify("ccc"))
        self.stub.fault = 403
        self.assertIsNone(self.identify("ddd"))

    def test_unavailable(self) -> None:
        """Any other status, and what is no such page, are told without a secret."""
        for fault in (200, 301, 404, 429, 500, 502, 503):
            self.stub.fault = fault
            failed = self.ask(self.api.identify(self.credentials("aaa")))
            text = str(self.failureResultOf(failed, Unavailable).value)
            self.assertNotIn("aaa", text)
            if fault != 200:
                self.assertIn(str(fault), text)
        self.stub.fault = None
        self.viewer("aaa")

    def test_strange_page(self) -> None:
        """JSON that tells of no user is none of AWX's, and nothing of it is told."""
        page = b'{"results": [{"username": "s3cret"}]}'
        self.patch(self.stub, "answer", lambda path, headers: Answer(200, page, {}))
        failed = self.ask(self.api.identify(self.credentials("aaa")))
        text = str(self.failureResultOf(failed, Unavailable).value)
        self.assertEqual(text, "the user in AWX's /me/ has no id")

    def test_remembered(self) -> None:
        """An answer is used again for some seconds, and one that refuses for fewer."""
        self.viewer("aaa")
        self.identify("ccc")
        self.clock.advance(1.9)
        self.viewer("aaa")
        self.identify("ccc")
        self.assertEqual(len(self.stub.asked), 2)
        self.clock.advance(0.2)
        self.viewer("aaa")
        self.identify("ccc")
        self.assertEqual(len(self.stub.asked), 3)
        self.clock.advance(8)
        self.viewer("aaa")
        self.assertEqual(len(self.stub.asked), 4)

    def test_so_many(self) -> None:
        """Of a limited number of sessions the answer is remembered, those asked last."""
        self.patch(api, "MAX_ACCOUNTS", 2)
        self.api = AwxApi(self.backend, self.clock, self.evictions, keep=10, keep_refused=2)
        self.stub.sessions["ccc"] = "ann"
        for session in ("aaa", "bbb", "ccc", "ccc", "bbb"):
            self.viewer(session)
        self.assertEqual((len(self.stub.asked), self.evictions.value), (3, 1))
        self.viewer("aaa")
        self.assertEqual((len(self.stub.asked), self.evictions.value), (4, 2))

    def test_at_once(self) -> None:
        """Many connections of one session ask one question; another session asks its own."""
        self.backend.held = []
        asked = [self.ask(self.api.identify(self.credentials("aaa"))) for _ in range(20)]
        other = self.ask(self.api.identify(self.credentials("bbb")))
        self.assertEqual(self.backend.release(), 2)
        for each in asked:
            viewer = self.successResultOf(each)
            self.assertEqual(viewer and viewer.account.id, 5)
        viewer = self.successResultOf(other)
        self.assertEqual(viewer and viewer.account.id, 6)


class IdentifyAnewTests(AwxApiCase):
    """Whether somebody still is who they were."""

    def again(self, viewer: Viewer) -> Viewer | None:
        """Ask again."""
        return self.successResultOf(self.ask(self.api.identify_anew(viewer)))

    def test_still(self) -> None:
        """AWX is asked although it was asked just now, and may say other things."""
        viewer = self.viewer()
        self.ann.is_superuser = True
        renewed = self.again(viewer)
        self.assertEqual(renewed and renewed.account, Account(5, is_auditor=True))
        self.assertEqual(self.stub.asked, [_ME, _ME])

    def test_over(self) -> None:
        """A session that is over is nobody's, also for those who connect just then."""
        viewer = self.viewer()
        self.stub.sessions.clear()
        self.assertIsNone(self.again(viewer))
        self.assertIsNone(self.identify("aaa"))

    def test_somebody_else(self) -> None:
        """A session in which somebody else has logged in is not the one that it was."""
        viewer = self.viewer()
        self.stub.sessions["aaa"] = "ben"
        self.assertIsNone(self.again(viewer))

    def test_unavailable(self) -> None:
        """While AWX does not say, nothing is said."""
        viewer = self.viewer()
        self.stub.fault = 502
        self.failureResultOf(self.ask(self.api.identify_anew(viewer)), Unavailable)

    def test_objects_anew(self) -> None:
        """What was found out of objects before does not count afterwards."""
        viewer = self.viewer()
        self.assertEqual(self.hidden(viewer, "jobs/1/", "jobs/60/"), ["jobs/60/"])
        self.ann.visible = {"jobs/60/"}
        renewed = self.again(viewer)
        assert renewed is not None, "the session still is"
        self.assertEqual(self.hidden(renewed, "jobs/1/", "jobs/60/"), ["jobs/1/"])
        self.assertEqual(self.hidden(viewer, "jobs/1/", "jobs/60/"), ["jobs/60/"])


class HiddenTests(AwxApiCase):
    """Which objects somebody may not see."""

    def test_by_object(self) -> None:
        """Those of others, and those that are not there, are hidden."""
        viewer = self.viewer()
        paths = ["jobs/1/", "jobs/99/", "jobs/100/", "system_jobs/1/", "jobs/2/"]
        self.assertEqual(
            sorted(self.hidden(viewer, *paths)), ["jobs/100/", "jobs/99/", "system_jobs/1/"]
        )
        self.assertEqual(self.stub.asked[1:], [f"/api/v2/{path}" for path in paths])

    def test_nothing_to_ask(self) -> None:
        """Without objects AWX is not asked."""
        self.assertEqual(self.hidden(self.viewer()), [])
        self.assertEqual(self.stub.asked, [_ME])

    def test_session_over(self) -> None:
        """Without a session nothing is to be seen."""
        viewer = self.viewer()
        self.stub.sessions.clear()
        self.assertEqual(self.hidden(viewer, "jobs/1/"), ["jobs/1/"])

    def test_unavailable(self) -> None:
        """If AWX does not say of one object, nothing is said, and nothing more is asked."""
        viewer = self.viewer()
        for fault in (301, 400, 429, 500, 502):
            self.stub.fault = fault
            asked = len(self.stub.asked)
            failed = self.ask(self.api.hidden_from(viewer, [f"jobs/{n}/" for n in range(1, 50)]))
            self.assertIn(str(fault), str(self.failureResultOf(failed, Unavailable).value))
            self.assertLessEqual(len(self.stub.asked) - asked, AT_ONCE)
        self.stub.fault = None
        self.assertEqual(self.hidden(viewer, "jobs/1/"), [])

    def test_remembered(self) -> None:
        """Answers are used again for some seconds by all connections of a session."""
        self.hidden(self.viewer(), "jobs/1/", "jobs/60/")
        self.hidden(self.viewer(), "jobs/1/", "jobs/60/")
        self.assertEqual(len(self.stub.asked), 3)
        self.clock.advance(2)
        self.hidden(self.viewer(), "jobs/1/", "jobs/60/")
        self.assertEqual(self.stub.asked[3:], ["/api/v2/jobs/60/"])

    def test_so_many(self) -> None:
        """Of a limited number of objects the answer is remembered."""
        self.patch(api, "MAX_OBJECTS", 3)
        self.api = AwxApi(self.backend, self.clock, self.evictions, keep=10, keep_refused=2)
        paths = [f"jobs/{number}/" for number in range(1, 6)]
        self.assertEqual(self.hidden(self.viewer(), *paths), [])
        self.assertEqual(self.evictions.value, 2)
        self.assertEqual(self.hidden(self.viewer(), *paths[2:]), [])
        self.assertEqual(len(self.stub.asked), 6)

    def test_not_for_others(self) -> None:
        """The answers of one session say nothing to another."""
        self.hidden(self.viewer("aaa"), "jobs/60/")
        self.assertEqual(self.hidden(self.viewer("bbb"), "jobs/60/"), [])

    def test_so_many_at_once(self) -> None:
        """However many connections of a user ask, few questions are under way; others go on."""
        viewer, other = self.viewer("aaa"), self.viewer("bbb")
        self.backend.held = []
        paths = [f"jobs/{number}/" for number in range(1, 51)]
        first = self.ask(self.api.hidden_from(viewer, paths[:25]))
        second = self.ask(self.api.hidden_from(viewer, paths[25:]))
        self.assertEqual(len(self.backend.held), AT_ONCE)
        third = self.ask(self.api.hidden_from(other, paths[:1]))
        self.assertEqual(len(self.backend.held), AT_ONCE + 1)
        rounds = 0
        while self.backend.release():
            self.assertLessEqual(len(self.backend.held), AT_ONCE)
            rounds += 1
        self.assertLess(rounds, 10)
        for each in (first, second, third):
            self.assertEqual(self.successResultOf(each), [])

    def test_failed(self) -> None:
        """When one answer fails, the others are not waited for."""
        viewer = self.viewer()
        self.backend.held = []
        asked = self.ask(self.api.hidden_from(viewer, [f"jobs/{n}/" for n in range(1, 51)]))
        self.stub.fault = 500
        self.backend.held[0].callback(None)
        self.failureResultOf(asked, Unavailable)
        self.assertEqual(self.backend.lost, AT_ONCE - 1)
        self.assertEqual(len(self.stub.asked), 2)

    def test_cancelled(self) -> None:
        """Who does not wait any longer asks nothing more, and gives up no place for good."""
        viewer = self.viewer()
        self.backend.held = []
        asked = self.ask(self.api.hidden_from(viewer, [f"jobs/{n}/" for n in range(1, 51)]))
        self.backend.release()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.backend.lost, AT_ONCE)
        self.assertEqual(len(self.stub.asked), 1 + AT_ONCE)
        self.backend.held = None
        self.assertEqual(self.hidden(viewer, *(f"jobs/{n}/" for n in range(1, 51))), [])
        self.assertEqual(len(self.stub.asked), 1 + 50)


class ForgetTests(AwxApiCase):
    """Forgetting a user."""

    def test_user(self) -> None:
        """All that is remembered of one user is asked anew, and nothing of another."""
        for session in ("aaa", "bbb"):
            self.hidden(self.viewer(session), "jobs/1/")
        self.stub.asked.clear()
        self.api.forget("5")
        for session in ("aaa", "bbb"):
            self.hidden(self.viewer(session), "jobs/1/")
        self.assertEqual(self.stub.asked, [_ME, "/api/v2/jobs/1/"])

    def test_under_way(self) -> None:
        """An answer to what was asked before does not count: AWX is asked again."""
        viewer = self.viewer()
        self.backend.held = []
        asked = self.ask(self.api.hidden_from(viewer, ["jobs/1/"]))
        self.api.forget("5")
        self.backend.release()
        self.assertNoResult(asked)
        self.ann.visible.clear()
        self.backend.release()
        self.assertEqual(self.successResultOf(asked), ["jobs/1/"])
        self.assertEqual(self.stub.asked.count("/api/v2/jobs/1/"), 2)

    def test_clear(self) -> None:
        """Nothing of anybody is remembered."""
        self.hidden(self.viewer(), "jobs/1/")
        self.api.clear()
        self.hidden(self.viewer(), "jobs/1/")
        self.assertEqual(len(self.stub.asked), 4)
