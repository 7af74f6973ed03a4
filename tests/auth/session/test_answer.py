"""Tests of `towerws.auth.session.answer`."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.auth.session.answer import MAX_TEXT, Answer, read_answer
from towerws.core.patterns import Patterns

#: Sunday, 22 November 2026, 12:00 UTC.
_NOW = 1795348800.0

_NOTHING = Patterns(())


class ReadAnswerTests(SynchronousTestCase):
    """From JSON to who somebody is."""

    def _read(self, **said: Any) -> Answer | None:
        return read_answer({"user": 1} | said, _NOTHING, _NOW)

    def _refusal(self, said: Any, default: Patterns | None = _NOTHING) -> str:
        return str(self.assertRaises(ValueError, read_answer, said, default, _NOW))

    def test_whole(self) -> None:
        """Everything that can be said; what is not known is ignored."""
        said = {
            "user": 1,
            "csrftoken": "t0ken",
            "groups": ["jobs-*", "job_events-42"],
            "expires": _NOW + 60,
            "name": "alice",
        }
        self.assertEqual(
            read_answer(said, None, _NOW),
            Answer(1, Patterns(["jobs-*", "job_events-42"]), "t0ken", _NOW + 60),
        )

    def test_least(self) -> None:
        """A user is enough where the groups are given; null is as good as nothing."""
        least = Answer(1, Patterns(["jobs-*"]))
        for said in ({}, {"csrftoken": None, "groups": None, "expires": None}):
            self.assertEqual(read_answer({"user": 1} | said, Patterns(["jobs-*"]), _NOW), least)

    def test_users(self) -> None:
        """Ids are whole numbers or text; null is nobody."""
        for user in (1, 0, -1, 2**70, 10**999, "alice", "1", "Ünal Ö", "x" * MAX_TEXT):
            self.assertEqual(self._read(user=user).user, user)
        self.assertIsNone(self._read(user=None))
        others: Any = (
            True,
            1.0,
            "",
            "a\nb",
            "\x00",
            "\ud800",
            "x" * (MAX_TEXT + 1),
            10**MAX_TEXT,
            [],
            {},
        )
        for user in others:
            self.assertIn("has a user that is neither", self._refusal({"user": user}))

    def test_no_answers(self) -> None:
        """Other JSON is no answer."""
        for said in (None, [], "user", 1, {}, {"id": 1}, [{"user": 1}]):
            self.assertIn("is no object with a user", self._refusal(said))

    def test_csrf_tokens(self) -> None:
        """A token is text; an empty one would be no token."""
        self.assertEqual(self._read(csrftoken="x").csrf_token, "x")
        for token in ("", 1, True, ["x"], "a\nb", "x" * (MAX_TEXT + 1)):
            self.assertIn("csrftoken", self._refusal({"user": 1, "csrftoken": token}))

    def test_groups(self) -> None:
        """Groups are patterns; an empty list is none; whoever says nothing must have a default."""
        self.assertEqual(self._read(groups=[]).groups, _NOTHING)
        self.assertIn("has no groups", self._refusal({"user": 1}, None))
        others: Any = ("jobs-*", {}, 1, True, [1], ["a b"], [None], ["$secret"], ["x"] * 10_001)
        for groups in others:
            text = self._refusal({"user": 1, "groups": groups})
            self.assertIn("has groups that", text)
            self.assertNotIn("secret", text)

    def test_expires(self) -> None:
        """Unix seconds, or ISO 8601 with a zone."""
        for expires, seconds in (
            (_NOW + 1, _NOW + 1),
            (int(_NOW) + 1, _NOW + 1),
            ("2026-11-22T12:00:01Z", _NOW + 1),
            ("2026-11-22T13:00:01.500000+01:00", _NOW + 1.5),
            ("20261122T120001Z", _NOW + 1),
        ):
            self.assertEqual(self._read(expires=expires).expires, seconds)

    def test_expired(self) -> None:
        """Whoever's session has ended is nobody, from that moment on."""
        for expires in (_NOW, _NOW - 1, 0, -1, "2026-11-22T12:00:00Z", "1970-01-01T00:00:00Z"):
            self.assertIsNone(self._read(expires=expires))

    def test_expires_that_cannot_be(self) -> None:
        """No local times, and no milliseconds, which would be far too late."""
        others: Any = (
            "2026-11-22T13:00:00",
            "2026-11-22",
            "tomorrow",
            "",
            str(_NOW + 1),
            _NOW * 1000,
            float("inf"),
            float("nan"),
            10**400,
            True,
            [],
            {},
        )
        for expires in others:
            self.assertIn("has an expires", self._refusal({"user": 1, "expires": expires}))

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from(["user", "csrftoken", "groups", "expires"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                lambda inner: st.lists(inner, max_size=3),
                max_leaves=4,
            ),
        )
    )
    def test_anything(self, said: dict[str, Any]) -> None:
        """Whatever JSON a backend sends, it is an answer, nobody, or a ValueError."""
        try:
            answer = read_answer(json.loads(json.dumps(said)), None, _NOW)
        except ValueError:
            return
        self.assertTrue(answer is None or type(answer.user) in {int, str})
