"""`towerws.core.revocation`: what is one, and how it travels."""

import json
from dataclasses import FrozenInstanceError

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.core.groups import MAX_NAME_LENGTH, is_group_name
from towerws.core.patterns import PatternError, Patterns
from towerws.core.revocation import (
    MAX_REVOCATION,
    MAX_USER_LENGTH,
    ROUTING_KEY,
    Revocation,
    RevocationError,
)

#: Anything that JSON can write.
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("usergop"), inner),
    max_leaves=5,
)


class RevocationTests(SynchronousTestCase):
    """What can be revoked."""

    def test_all(self) -> None:
        """Without groups, all is."""
        revocation = Revocation("7")
        self.assertIsNone(revocation.groups)
        self.assertIsNone(revocation.patterns)

    def test_groups(self) -> None:
        """One group, or all that a pattern matches."""
        self.assertEqual(Revocation("7", "jobs-*").patterns, Patterns(["jobs-*"]))
        self.assertEqual(Revocation("7", "job_events-42").patterns, Patterns(["job_events-42"]))

    def test_users(self) -> None:
        """An id is a text with an end, and may have any characters."""
        for user in ("7", "a@example.org", "Jörg", " ", "*", "x" * MAX_USER_LENGTH):
            self.assertEqual(Revocation(user).user, user)
        for user in ("", "x" * (MAX_USER_LENGTH + 1)):
            error = self.assertRaises(RevocationError, Revocation, user)
            self.assertEqual(str(error), "the user's id does not have 1 to 1000 characters")

    def test_no_groups(self) -> None:
        """What cannot be a group, or a pattern of some, is refused."""
        for groups in ("", "jobs 1", "$revoke", "#", "x" * (MAX_NAME_LENGTH + 1)):
            self.assertRaises(PatternError, Revocation, "7", groups)

    def test_frozen(self) -> None:
        """What was checked stays as it is."""
        with self.assertRaises(FrozenInstanceError):
            Revocation("7").user = "8"  # type: ignore[misc]

    def test_routing_key(self) -> None:
        """No client can subscribe to revocations, and no backend publish them as events."""
        self.assertFalse(is_group_name(ROUTING_KEY))


class EncodingTests(SynchronousTestCase):
    """Revocations as bytes."""

    def test_form(self) -> None:
        """It is what ``POST /revoke`` takes."""
        self.assertEqual(Revocation("7").encode(), b'{"user": "7"}')
        self.assertEqual(
            Revocation("7", "job_events-42").encode(), b'{"user": "7", "group": "job_events-42"}'
        )

    def test_integers(self) -> None:
        """An id that is an integer means its text; no group may be said in two ways."""
        for data in (b'{"user": 7}', b' {"user": "7"}\n'):
            self.assertEqual(Revocation.decode(data), Revocation("7"))

    def test_the_largest(self) -> None:
        """The longest id and group, however they are escaped, are not too large."""
        revocation = Revocation("\U0001f600" * MAX_USER_LENGTH, "x" * MAX_NAME_LENGTH)
        self.assertEqual(Revocation.decode(revocation.encode()), revocation)

    def test_too_large(self) -> None:
        """There is an end to what is read."""
        data = b'{"user": "7"}'
        padded = data.ljust(MAX_REVOCATION)
        self.assertEqual(Revocation.decode(padded), Revocation("7"))
        error = self.assertRaises(RevocationError, Revocation.decode, padded + b" ")
        self.assertEqual(str(error), "the revocation is larger than 16384 bytes")

    def test_not_json(self) -> None:
        """Whatever is not JSON in UTF-8 is refused with a sentence."""
        for data in (
            b"",
            b"{",
            b"\xff",
            b'{"user": "7"}x',
            '{"user": "7"}'.encode("utf-16"),
            b"[" * MAX_REVOCATION,
            b'{"user": ' + b"9" * 10_000 + b"}",
        ):
            error = self.assertRaises(RevocationError, Revocation.decode, data)
            self.assertEqual(str(error), "the revocation is not JSON in UTF-8")

    def test_other_objects(self) -> None:
        """A key too many is refused: it may be a misspelt "group", without which all is revoked."""
        for data in (
            b"null",
            b'["user"]',
            b"{}",
            b'{"group": "jobs-1"}',
            b'{"user": "7", "groups": "jobs-1"}',
            b'{"user": "7", "Group": "jobs-1"}',
        ):
            error = self.assertRaises(RevocationError, Revocation.decode, data)
            self.assertEqual(
                str(error), 'a revocation is an object with "user" and perhaps "group"'
            )

    def test_other_values(self) -> None:
        """Nothing else is an id or a group, whatever Python might make of it."""
        for user in ("null", "true", "7.0", '""', '["7"]', '{"id": 7}'):
            data = f'{{"user": {user}}}'.encode()
            self.assertRaises(RevocationError, Revocation.decode, data)
        self.assertRaises(RevocationError, Revocation.decode, b'{"user": "7", "group": null}')
        for group in ("42", "false", '""', '["jobs-1"]', '"jobs-1 "', "{}"):
            data = f'{{"user": "7", "group": {group}}}'.encode()
            self.assertRaises(PatternError, Revocation.decode, data)

    @given(
        st.text(st.characters(), min_size=1, max_size=20),
        st.none() | st.text("abc-*_.", min_size=1, max_size=MAX_NAME_LENGTH),
    )
    @PROPERTY
    def test_back_and_forth(self, user: str, groups: str | None) -> None:
        """What is written is read as it was, lone surrogates included."""
        revocation = Revocation(user, groups)
        self.assertEqual(Revocation.decode(revocation.encode()), revocation)

    @given(st.binary(max_size=100) | _JSON.map(lambda value: json.dumps(value).encode()))
    @PROPERTY
    def test_anything(self, data: bytes) -> None:
        """Bytes are a revocation or raise a ValueError with one short sentence."""
        try:
            revocation = Revocation.decode(data)
        except ValueError as error:
            self.assertIsInstance(error, (RevocationError, PatternError))
            self.assertLess(len(str(error)), 100)
        else:
            self.assertEqual(Revocation.decode(revocation.encode()), revocation)
