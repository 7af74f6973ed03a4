"""`towerws.auth.jwt.jwks`: keys that are fetched, by a backend in memory."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import SECRET, jwk, jwk_set, new_key
from tests.auth.jwt.key_site import KeySite
from towerws.auth.errors import Unavailable
from towerws.auth.jwt.jwks import (
    COOLDOWN,
    DEFAULT_KEEP,
    DEFAULT_REFRESH,
    MAX_BODY,
    RemoteKeys,
    make_backend,
)
from towerws.auth.jwt.keys import ALGORITHMS, NoUsableKey
from towerws.core.metrics import Metrics


class RemoteKeysCase(SynchronousTestCase):
    """A test with a site in memory."""

    def setUp(self) -> None:
        """Attach, and let the time begin."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.metrics = Metrics()
        self.site = KeySite()
        self.keys = RemoteKeys(self.site, ALGORITHMS)
        self.keys.attach(self.clock, self.metrics)
        self.one, self.two = (jwk_set(jwk(new_key(), kid=name)) for name in ("one", "two"))

    def names(self) -> list[str | None]:
        """Name the keys that are good now."""
        return [key.id for key in self.keys.current().keys]

    def fetches(self, result: str) -> int:
        """Read the counter."""
        return self.metrics.counter("towerws_jwks_fetches_total", "", result=result).value

    def fetch(self, body: bytes) -> None:
        """Let the fetch that is due end well."""
        self.clock.advance(0)
        self.site.answer(body)


class ScheduleTests(RemoteKeysCase):
    """When keys are fetched, and how long they are good."""

    def test_start(self) -> None:
        """The first fetch is made when the reactor runs; nothing is good before it ended."""
        self.assertEqual((self.site.asked, self.site.reactor), (0, self.clock))
        self.assertRaises(Unavailable, self.keys.current)
        self.clock.advance(0)
        self.assertRaises(Unavailable, self.keys.current)
        self.site.answer(self.one)
        self.assertEqual(self.names(), ["one"])
        self.assertEqual((self.fetches("fetched"), self.fetches("failed")), (1, 0))
        self.assertEqual(self.keys.files, ())

    def test_refresh(self) -> None:
        """Every so often; withdrawn keys are gone then, and nobody waits for it."""
        self.fetch(self.one)
        self.clock.advance(DEFAULT_REFRESH - 1)
        self.assertEqual(self.site.asked, 1)
        self.clock.advance(1)
        self.assertEqual((self.site.asked, self.names()), (2, ["one"]))
        self.site.answer(self.two)
        self.assertEqual(self.names(), ["two"])

    def test_away(self) -> None:
        """While the URL is away it is tried again soon, and the old keys are good for a while."""
        self.fetch(self.one)
        self.clock.advance(DEFAULT_REFRESH)
        with capturedLogs() as events:
            for _ in range(int((DEFAULT_KEEP - DEFAULT_REFRESH) / COOLDOWN)):
                self.assertEqual(self.names(), ["one"])
                self.site.fail()
                self.clock.advance(COOLDOWN)
        self.assertRaises(Unavailable, self.keys.current)
        self.assertEqual(self.fetches("failed"), 330)
        self.assertEqual(len(events), 55, "a line a minute")
        self.site.answer(self.one)
        self.assertEqual(self.names(), ["one"])

    def test_bad_answers(self) -> None:
        """An answer that is no JWK set, or has nothing of use, changes nothing."""
        self.fetch(self.one)
        self.clock.advance(DEFAULT_REFRESH)
        for body, status in (
            (self.two, 500),
            (self.two, 302),
            (self.two, 204),
            (b"", 200),
            (b"<html>", 200),
            (b'{"keys": []}', 200),
            (jwk_set(jwk(SECRET)), 200),
            (b"[" * MAX_BODY, 200),
        ):
            self.site.answer(body, status)
            self.assertEqual(self.names(), ["one"])
            self.clock.advance(COOLDOWN)
        self.assertEqual(self.fetches("failed"), 8)

    def test_log(self) -> None:
        """Keys are told of when they change; a failure with its reason."""
        with capturedLogs() as events:
            self.fetch(self.one)
            self.clock.advance(DEFAULT_REFRESH)
            self.site.answer(self.one)
            self.clock.advance(DEFAULT_REFRESH)
            self.site.fail()
        told = [event["log_format"].partition(" {")[0] for event in events]
        self.assertEqual(told, ["fetched", "could not fetch the keys for tokens from"])
        self.assertEqual(str(events[1]["error"]), "it is away")

    def test_bug(self) -> None:
        """A failure that nobody thought of is logged, and the next fetch is made all the same."""
        self.clock.advance(0)
        self.site.requests.pop().errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(COOLDOWN)
        self.site.answer(self.one)
        self.assertEqual(self.names(), ["one"])


class LookAgainTests(RemoteKeysCase):
    """A token that no key fits."""

    def look_again(self) -> Deferred[None]:
        """Look, where there is something to wait for."""
        looking = self.keys.look_again()
        assert looking is not None
        return looking

    def test_cooldown(self) -> None:
        """Not more often than every so many seconds, however many ask."""
        self.fetch(self.one)
        for _ in range(100):
            self.assertIsNone(self.keys.look_again())
        self.clock.advance(COOLDOWN - 0.1)
        self.assertIsNone(self.keys.look_again())
        self.clock.advance(0.1)
        looking = self.look_again()
        self.assertNoResult(looking)
        self.site.answer(self.two)
        self.successResultOf(looking)
        self.assertEqual((self.site.asked, self.names()), (2, ["two"]))
        self.assertIsNone(self.keys.look_again())

    def test_single_flight(self) -> None:
        """All wait for the one that is under way, and learn of its end, good or bad."""
        self.clock.advance(0)
        looking = [self.look_again() for _ in range(3)]
        self.assertEqual(self.site.asked, 1)
        self.site.fail()
        for each in looking:
            self.assertIsNone(self.successResultOf(each))

    def test_client_leaves(self) -> None:
        """The fetch goes on: who leaves cannot keep others from the keys."""
        self.clock.advance(0)
        leaving, staying = self.look_again(), self.look_again()
        leaving.addErrback(lambda _: None).cancel()
        self.site.answer(self.one)
        self.successResultOf(staying)
        self.assertEqual(self.names(), ["one"])

    def test_reload(self) -> None:
        """SIGHUP asks for the keys at once."""
        self.fetch(self.one)
        self.clock.advance(COOLDOWN)
        self.keys.reload()
        self.site.answer(self.two)
        self.assertEqual(self.names(), ["two"])

    def test_schedule_moves(self) -> None:
        """A fetch before its time takes the place of the next one."""
        self.fetch(self.one)
        self.clock.advance(DEFAULT_REFRESH - 1)
        self.look_again()
        self.site.answer(self.two)
        self.clock.advance(DEFAULT_REFRESH - 1)
        self.assertEqual(self.site.asked, 2)
        self.clock.advance(1)
        self.assertEqual(self.site.asked, 3)


class DetachTests(RemoteKeysCase):
    """The server stops."""

    def test_idle(self) -> None:
        """No timer is left, and nothing is fetched any more."""
        self.fetch(self.one)
        self.successResultOf(self.keys.detach())
        self.assertEqual((self.clock.getDelayedCalls(), self.site.closed), ([], True))
        self.clock.advance(COOLDOWN)
        self.assertIsNone(self.keys.look_again())

    def test_under_way(self) -> None:
        """A fetch is cancelled, and those who wait are let go."""
        self.clock.advance(0)
        looking = self.keys.look_again()
        assert looking is not None
        self.successResultOf(self.keys.detach())
        self.successResultOf(looking)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BackendTests(SynchronousTestCase):
    """`make_backend`."""

    def test_plain(self) -> None:
        """Without TLS, only on this machine."""
        for url in ("https://id.example.org/jwks", "http://127.0.0.1:8080/", "http://[::1]/a"):
            self.assertEqual(make_backend(url).url, url)
        make_backend("http://localhost/keys")
        for url in ("http://id.example.org/", "http://10.0.0.1/", "http://localhost.example.org/"):
            error = self.assertRaises(ValueError, make_backend, url)
            self.assertIn("use https://", str(error))

    def test_no_url(self) -> None:
        """What is no URL, or has a password in it, is refused without being repeated."""
        for url in ("", "file:///etc/passwd", "https://me:secret@example.org/", "https:///jwks"):
            error = self.assertRaises(ValueError, make_backend, url)
            self.assertNotIsInstance(error, NoUsableKey)
            self.assertNotIn("secret", str(error))
