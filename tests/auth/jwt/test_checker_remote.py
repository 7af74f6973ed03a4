"""`towerws.auth.jwt.checker` with keys that come from a URL, by a site in memory."""

from twisted.cred.error import UnauthorizedLogin

from tests.auth.jwt.case import CheckerCase
from tests.auth.jwt.issuer import NOW, SECRET, jwk, jwk_set, make_token, new_key
from tests.auth.jwt.key_site import KeySite
from towerws.auth.errors import Unavailable
from towerws.auth.jwt.jwks import COOLDOWN, DEFAULT_KEEP, RemoteKeys
from towerws.auth.jwt.keys import ALGORITHMS


class RemoteTests(CheckerCase):
    """Keys that come from a URL."""

    def setUp(self) -> None:
        """Attach a checker that fetches its keys."""
        super().setUp()
        self.site = KeySite()
        self.checker = self.attach(RemoteKeys(self.site, ALGORITHMS))
        self.key, self.next_key = new_key(), new_key()
        self.token = make_token(self.key, "EdDSA", {"kid": "one"})
        self.next_token = make_token(self.next_key, "EdDSA", {"kid": "two"})
        self.one = jwk_set(jwk(self.key, kid="one"))
        self.two = jwk_set(jwk(self.next_key, kid="two"))

    def fetch(self, body: bytes) -> None:
        """Let the fetch that is due end well."""
        self.clock.advance(0)
        self.site.answer(body)

    def test_first_fetch(self) -> None:
        """Those who come before the keys wait for them."""
        self.clock.advance(0)
        asking = self.ask(self.token)
        self.assertNoResult(asking)
        self.site.answer(self.one)
        self.assertEqual(self.successResultOf(asking).user, "alice")

    def test_no_keys(self) -> None:
        """Without keys nobody can be told from anybody: unavailable, and not refused."""
        self.clock.advance(0)
        asking = self.ask(self.token)
        self.site.fail()
        self.failureResultOf(asking, Unavailable)
        self.failureResultOf(self.ask(self.token), Unavailable)
        self.assertEqual(self.counts(), [0, 0, 2])
        # What is no token of any key is left to other schemes.
        self.assert_refused(self.ask("0paque-t0ken"), "it is no signed token")

    def test_rotation(self) -> None:
        """A key that is new is fetched when its first token comes; the old one is good no more."""
        self.fetch(self.one)
        user = self.user(self.token)
        self.clock.advance(COOLDOWN)
        asking = self.ask(self.next_token)
        self.assertNoResult(asking)
        self.site.answer(self.two)
        self.successResultOf(asking)
        self.assert_refused(self.ask(self.token), "its key is not known")
        self.assertIsNone(user.renew())

    def test_same_name(self) -> None:
        """So it is where the new key has the old one's name, or none has a name."""
        self.fetch(jwk_set(jwk(self.key)))
        self.clock.advance(COOLDOWN)
        asking = self.ask(self.next_token)
        self.site.answer(jwk_set(jwk(self.next_key)))
        self.successResultOf(asking)

    def test_unknown_key(self) -> None:
        """Tokens that no key fits cause a fetch at times, and are refused at once otherwise."""
        self.fetch(self.one)
        self.assert_refused(self.ask(self.next_token), "its key is not known")
        self.clock.advance(COOLDOWN)
        asking = self.ask(self.next_token)
        self.assertNoResult(asking)
        self.assertEqual(self.user(self.token).user, "alice", "others need not wait")
        self.site.answer(self.one)
        self.assert_refused(asking, "its key is not known")
        self.assertEqual(self.site.asked, 2)

    def test_no_fetch_for_others(self) -> None:
        """What no key could cure causes none."""
        self.fetch(self.one)
        self.clock.advance(COOLDOWN)
        for token in ("x", make_token(self.key, "EdDSA", {"crit": ["x"]}), "a" * 9000):
            self.failureResultOf(self.ask(token), UnauthorizedLogin)
        expired = make_token(self.key, "EdDSA", exp=NOW - 300)
        self.assert_refused(self.ask(expired), "it has expired")
        self.assertEqual(self.site.asked, 1)

    def test_no_secrets_from_a_url(self) -> None:
        """A secret that is published is no secret."""
        self.fetch(jwk_set(jwk(self.key), jwk(SECRET)))
        self.assert_refused(self.ask(make_token()), "its key is not known")

    def test_renew_without_keys(self) -> None:
        """When the keys are too old it cannot be found out."""
        self.fetch(self.one)
        user = self.user(self.token)
        self.clock.advance(DEFAULT_KEEP)
        self.assertRaises(Unavailable, user.renew)

    def test_detach(self) -> None:
        """Nothing is left when the server stops."""
        self.clock.advance(0)
        asking = self.ask(self.token)
        detaching = self.checker.detach()
        assert detaching is not None
        self.successResultOf(detaching)
        self.failureResultOf(asking, Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
