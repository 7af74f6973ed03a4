"""`towerws.auth.jwt.claims`: what a token must say, and what is made of it."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import CLAIMS, NOW
from tests.properties import PROPERTY
from towerws.auth.jwt.claims import NOTHING, Claims, Rules, read_claims
from towerws.auth.jwt.tokens import Reason, Refused
from towerws.core.patterns import Patterns

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=6,
)


class ClaimsCase(SynchronousTestCase):
    """A test that reads claims.

    Attributes:
        rules: What they must be.
    """

    rules = Rules()

    def read(self, *, now: Any = NOW, **claims: Any) -> Claims:
        """Read claims: those of `CLAIMS`, changed; None takes one away."""
        said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
        return read_claims(json.dumps(said).encode(), self.rules, now)

    def assert_refused(self, reason: Reason, *, now: Any = NOW, **claims: Any) -> None:
        """Check that such claims are refused, and why."""
        try:
            self.read(now=now, **claims)
        except Refused as refused:
            self.assertIs(refused.reason, reason, claims)
        else:
            self.fail(f"not refused: {claims}")


class UserTests(ClaimsCase):
    """The subject, the groups and the CSRF token."""

    def test_all(self) -> None:
        """What is made of an ordinary token."""
        claims = self.read(csrf="secret")
        groups = Patterns(["job_events-42", "jobs-*"])
        self.assertEqual(claims, Claims("alice", NOW + 330.0, groups, "secret"))
        self.assertNotIn("secret", repr(claims))

    def test_subject(self) -> None:
        """Text that can be shown, or a whole number; as it is."""
        for subject in ("alice", "42", "ä", "a" * 255, 42, 0, -1, 2**63 - 1):
            self.assertEqual(self.read(sub=subject).user, subject)
        others: tuple[object, ...] = (True, 1.0, 2**63, [], {}, ["alice"])
        for bad in ("", "a" * 256, "a\n", "\0", "\ud800", *others):
            self.assert_refused(Reason.SUBJECT, sub=bad)
        self.assert_refused(Reason.SUBJECT, sub=None)

    def test_groups(self) -> None:
        """A list of patterns; everything else is refused, not taken for nothing or everything."""
        self.assertEqual(self.read(groups=["*"]).groups, Patterns(["*"]))
        self.assertEqual(self.read(groups=[]).groups, NOTHING)
        others: tuple[object, ...] = ("*", "", {}, {"*": 1}, 1, True)
        for bad in (*others, ["#"], [1], [["*"]], [""], ["a" * 101], [None]):
            self.assert_refused(Reason.GROUPS, groups=bad)
        payload = json.dumps(CLAIMS | {"groups": None}).encode()
        self.assertRaises(Refused, read_claims, payload, self.rules, NOW)

    def test_without_groups(self) -> None:
        """Nothing may be heard, unless the operator says what."""
        self.assertNotIn("jobs-1", self.read(groups=None).groups)
        self.rules = Rules(default_groups=Patterns(["jobs-*"]))
        self.assertIn("jobs-1", self.read(groups=None).groups)
        self.assertNotIn("jobs-1", self.read(groups=[]).groups)

    def test_name_of_the_groups(self) -> None:
        """Issuers that use ``groups`` for something else can use another claim."""
        self.rules = Rules(groups_claim="https://example.org/towerws")
        claims = self.read(groups=["/admins"], **{"https://example.org/towerws": ["a-*"]})
        self.assertEqual(claims.groups, Patterns(["a-*"]))

    def test_csrf_token(self) -> None:
        """Text, or none."""
        self.assertIsNone(self.read().csrf_token)
        others: tuple[object, ...] = (1, True, [], {})
        for bad in ("", "a" * 256, "\n", *others):
            self.assert_refused(Reason.CSRF, csrf=bad)


class DateTests(ClaimsCase):
    """When a token is good."""

    def test_expiry(self) -> None:
        """To the moment, by the clock of the issuer and the leeway."""
        for leeway in (0, 30, 300):
            self.rules = Rules(leeway=leeway)
            end = NOW + leeway
            self.assertEqual(self.read(exp=NOW, now=end - 0.001).expires, end)
            self.assert_refused(Reason.EXPIRED, exp=NOW, now=end)
            self.assert_refused(Reason.EXPIRED, exp=NOW - 0.5, now=end)

    def test_begin(self) -> None:
        """The same for the beginning and for when it was made."""
        for leeway in (0, 30):
            self.rules = Rules(leeway=leeway)
            for name in ("nbf", "iat"):
                self.read(**{name: NOW + leeway})
                self.assert_refused(Reason.NOT_YET, **{name: NOW + leeway + 1})
                self.assert_refused(Reason.NOT_YET, **{name: NOW + leeway + 0.5})

    def test_no_expiry(self) -> None:
        """Refused, unless that is allowed; what is there is checked then all the same."""
        self.assert_refused(Reason.NO_EXPIRY, exp=None)
        self.rules = Rules(must_expire=False)
        self.assertIsNone(self.read(exp=None).expires)
        self.assert_refused(Reason.EXPIRED, exp=NOW - 100)

    def test_no_dates(self) -> None:
        """A date is a number of seconds that a calendar has."""
        bads: tuple[object, ...] = (
            str(NOW + 300),
            "2030-01-01",
            True,
            [NOW],
            {},
            -1,
            10**12,
            10**4000,
            1e300,
            float("nan"),
            float("inf"),
            float("-inf"),
        )
        for name in ("exp", "nbf", "iat"):
            for bad in bads:
                self.assert_refused(Reason.CLAIMS, **{name: bad})
            payload = json.dumps(CLAIMS | {name: None}).encode()
            error = self.assertRaises(Refused, read_claims, payload, self.rules, NOW)
            self.assertIs(error.reason, Reason.CLAIMS)


class OriginTests(ClaimsCase):
    """Whom a token is for, and from."""

    def test_audience(self) -> None:
        """The configured name must be in it, alone or among others."""
        self.rules = Rules(audience="towerws")
        for good in ("towerws", ["towerws"], ["other", "towerws"]):
            self.read(aud=good)
        for bad in (None, "other", "towerws2", "Towerws", "", [], ["other"], "towerws other"):
            self.assert_refused(Reason.AUDIENCE, aud=bad)
        for wrong in (1, True, {"towerws": 1}, ["towerws", 1], [["towerws"]], [None]):
            self.assert_refused(Reason.CLAIMS, aud=wrong)

    def test_audience_of_others(self) -> None:
        """RFC 7519, 4.1.3: who has no name refuses a token that is for somebody."""
        self.read()
        for audience in ("towerws", ["towerws"], "", []):
            self.assert_refused(Reason.AUDIENCE, aud=audience)
        payload = json.dumps(CLAIMS | {"aud": None}).encode()
        self.assertRaises(Refused, read_claims, payload, self.rules, NOW)

    def test_issuer(self) -> None:
        """It is compared if it is configured."""
        self.read(iss="anybody")
        self.rules = Rules(issuer="https://id.example.org")
        self.read(iss="https://id.example.org")
        others: tuple[object, ...] = (1, True, ["https://id.example.org"], {})
        for bad in (None, "https://id.example.org/", "", *others):
            self.assert_refused(Reason.ISSUER, iss=bad)


class PayloadTests(SynchronousTestCase):
    """Payloads of any form."""

    def test_no_object(self) -> None:
        """What is no JSON object in UTF-8 is refused."""
        for payload in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'"text"',
            b"\xff",
            json.dumps(CLAIMS).encode("utf-16"),
            b'{"sub": "\xe9"}',
            b"[" * 5_000,
            b'{"a":' * 5_000,
            b'{"exp": NaN}',
            b'{"sub": ' + b"1" * 5_000 + b"}",
        ):
            error = self.assertRaises(Refused, read_claims, payload, Rules(), NOW)
            self.assertIs(error.reason, Reason.CLAIMS)

    @PROPERTY
    @given(
        st.dictionaries(
            st.sampled_from(["sub", "exp", "nbf", "iat", "aud", "iss", "groups", "csrf"]), _JSON
        ),
        st.booleans(),
    )
    @example({}, True)
    def test_anything(self, changes: dict[str, object], only: bool) -> None:
        """Claims of any types make a user or are refused."""
        claims = changes if only else CLAIMS | changes
        rules = replace(Rules(), must_expire=False)
        try:
            found = read_claims(json.dumps(claims).encode(), rules, NOW)
        except Refused:
            return
        self.assertIsInstance(found.user, int | str)
        self.assertNotIsInstance(found.user, bool)
