"""Tests of `towerws.auth.session.checker`: what it remembers."""

import gc

from twisted.cred.error import UnauthorizedLogin

from tests.auth.session.case import ALICE, SessionCase, handshake
from towerws.auth.errors import Unavailable
from towerws.core.groups import Group
from towerws.core.revocation_log import MAX_REVOCATIONS


class MemoryTests(SessionCase):
    """What is remembered, for how long, and what is not."""

    def _is_asked(self, cookie: str = "sessionid=1") -> bool:
        before = self.network.knocking
        self.ask(cookie).addErrback(lambda _: None)
        return self.network.knocking > before

    def test_one_question(self) -> None:
        """Connections of one session that come together are one question; others have their own."""
        asked = [self.ask(), self.ask(), self.ask("sessionid=2")]
        self.assertEqual(self.network.knocking, 2)
        self.answer(ALICE)
        self.answer(ALICE | {"user": 2})
        self.assertEqual([self.successResultOf(each).user for each in asked], [1, 1, 2])

    def test_headers_are_not_mixed_up(self) -> None:
        """A cookie is no Authorization, and a session with one is not the same without."""
        self.user()
        for headers in (
            {"authorization": "sessionid=1"},
            {"cookie": "sessionid=1", "authorization": "x"},
        ):
            self.checker.requestAvatarId(handshake(**headers)).addErrback(lambda _: None)
        self.assertEqual(self.network.knocking, 2)

    def test_kept(self) -> None:
        """An answer is used for ten seconds, a refusal for two."""
        self.user()
        refused = self.ask("sessionid=2")
        self.answer(b"", 401)
        self.failureResultOf(refused, UnauthorizedLogin)
        self.network.reactor.advance(1.9)
        self.failureResultOf(self.ask("sessionid=2"), UnauthorizedLogin)
        self.network.reactor.advance(0.1)
        self.assertTrue(self._is_asked("sessionid=2"))
        self.network.reactor.advance(7.9)
        self.assertFalse(self._is_asked())
        self.network.reactor.advance(0.1)
        self.assertTrue(self._is_asked())

    def test_options(self) -> None:
        """Both times can be set, to nothing as well."""
        self.checker = self.make(keep=0, keep_refused=20)
        self.user()
        self.assertTrue(self._is_asked())
        self.answer(b"", 401)
        self.network.reactor.advance(19)
        self.assertFalse(self._is_asked())

    def test_not_longer_than_the_session(self) -> None:
        """An answer is not used after the session has ended."""
        self.user(ALICE | {"expires": 1003})
        self.network.reactor.advance(2.9)
        self.assertFalse(self._is_asked())
        self.network.reactor.advance(0.1)
        self.assertTrue(self._is_asked())

    def test_failures_are_not_kept(self) -> None:
        """The next client may have more luck."""
        asked = self.ask()
        self.answer(b"", 500)
        self.failureResultOf(asked, Unavailable)
        self.assertTrue(self._is_asked())

    def test_forget(self) -> None:
        """Of whoever lost access nothing is remembered; what is on its way is asked again."""
        self.user()
        self.user(ALICE | {"user": 2}, "sessionid=2")
        underway = self.ask("sessionid=3")
        self.checker.forget("1")
        self.assertTrue(self._is_asked())
        self.assertFalse(self._is_asked("sessionid=2"))
        self.answer(ALICE)
        self.assertNoResult(underway)
        self.network.accept()
        self.answer(b"", 401)
        self.failureResultOf(underway, UnauthorizedLogin)

    def test_forget_what_users_hold(self) -> None:
        """Who was revoked does not hear by an answer of before, also if nobody looked again yet."""
        user, other = self.user(), self.user(ALICE | {"user": 2}, "sessionid=2")
        groups = [Group("jobs", "summary"), Group("job_events", "42")]
        self.checker.forget("1")
        self.assertEqual(self.successResultOf(other.denied(groups)), [])
        asked = user.denied(groups)
        self.assertNoResult(asked)
        self.answer(ALICE | {"groups": ["jobs-*"]})
        self.assertEqual(self.successResultOf(asked), groups[1:])
        # Remembered, as ever.
        self.assertEqual(self.successResultOf(user.denied(groups)), groups[1:])
        self.checker.forget("1")
        asked = user.denied(groups)
        self.answer(b"", 500)
        self.failureResultOf(asked, Unavailable)
        asked = user.denied(groups)
        self.answer(b"", 401)
        self.assertEqual(self.successResultOf(asked), groups)

    def test_forget_many_others(self) -> None:
        """After more than can be remembered, a user is asked for once more, and not each time."""
        user, groups = self.user(), [Group("jobs", "summary")]
        for number in range(MAX_REVOCATIONS + 1):
            self.checker.forget(f"other {number}")
        self.network.reactor.advance(60)
        asked = user.denied(groups)
        self.answer(ALICE)
        self.assertEqual(self.successResultOf(asked), [])
        self.network.reactor.advance(60)
        self.assertEqual(self.successResultOf(user.denied(groups)), [])

    def test_no_secrets(self) -> None:
        """Neither what is remembered nor a user shows credentials."""
        user = self.user(ALICE, "sessionid=s3cret")
        shown = repr(vars(self.checker)) + repr(vars(self.checker._source)) + repr(user)
        credentials = user._credentials
        shown += repr(credentials) + repr(user._answer) + str(user.__reduce_ex__(2)[0])
        self.assertNotIn("s3cret", shown)
        self.assertNotIn("t0ken", shown)

    def test_shared_memory(self) -> None:
        """All connections of a session hold the same headers, and the last lets them go."""
        users = [self.user()] + [self.successResultOf(self.ask()) for _ in range(2)]
        self.assertEqual(len({id(each._credentials) for each in users}), 1)
        self.assertEqual(len({id(each._answer) for each in users}), 1)
        users.clear()
        self.checker._source.answers.clear()
        gc.collect()
        self.assertEqual(len(self.checker._source._credentials), 0)
