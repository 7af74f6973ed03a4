"""`towerws.auth.jwt.arguments`: ``--auth jwt:...``."""

from pathlib import Path

from twisted.cred.strcred import InvalidAuthArgumentString
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.jwt.issuer import SECRET, public_pem, rsa_key
from towerws.auth.jwt.arguments import ARGUMENTS, HELP, Settings, read_arguments
from towerws.auth.jwt.claims import Rules
from towerws.auth.jwt.jwks import RemoteKeys
from towerws.auth.jwt.keyfile import FileKeys
from towerws.core.patterns import Patterns

_URL = "jwks=https://id.example.org/jwks.json"


class ArgumentsTests(SynchronousTestCase):
    """`read_arguments`."""

    def setUp(self) -> None:
        """Write a key file."""
        self.path = self.mktemp()
        Path(self.path).write_bytes(public_pem(rsa_key()))

    def read(self, *more: str) -> Settings:
        """Read arguments with a key file."""
        return read_arguments(",".join([f"key={self.path}", *more]))

    def assert_refused(self, text: str, pattern: str) -> None:
        """Check that arguments are refused, and why."""
        error = self.assertRaises(InvalidAuthArgumentString, read_arguments, text)
        self.assertRegex(str(error), pattern)

    def test_defaults(self) -> None:
        """A key is all that is needed; what is not said is not allowed."""
        settings = self.read()
        assert isinstance(settings.keys, FileKeys)
        self.assertEqual(settings.rules, Rules())
        self.assertIsNone(settings.cookie)
        rules = Rules()
        self.assertEqual((rules.leeway, rules.must_expire, rules.audience), (30, True, None))
        self.assertEqual(rules.default_groups, Patterns([]))

    def test_all(self) -> None:
        """Everything that a key file can have beside it."""
        settings = self.read(
            "algorithms=RS256+PS256",
            "audience=towerws",
            "issuer=https://id.example.org",
            "cookie=token",
            "leeway=0",
            "expiry=optional",
            "groups=jobs-*+schedules-*",
            r"groups-claim=a\,b",
        )
        patterns = Patterns(["jobs-*", "schedules-*"])
        expected = Rules("towerws", "https://id.example.org", 0.0, False, "a,b", patterns)
        self.assertEqual((settings.rules, settings.cookie), (expected, "token"))
        (key,) = settings.keys.current().keys
        self.assertEqual(key.algorithms, {"RS256", "PS256"})

    def test_jwks(self) -> None:
        """A URL, with its own options; a file of authorities is read at once."""
        settings = read_arguments(f"{_URL},refresh=60,keep=60,timeout=1.5,audience=a")
        self.assertIsInstance(settings.keys, RemoteKeys)
        self.assert_refused(f"{_URL},ca=/nowhere", "/nowhere")

    def test_keys(self) -> None:
        """One place for keys, neither none nor two; and it must have some."""
        self.assert_refused("", "either key=FILE or jwks=URL")
        self.assert_refused(f"key={self.path},{_URL}", "either key=FILE or jwks=URL")
        self.assert_refused(f"key={self.path},refresh=60", "refresh is for jwks")
        self.assert_refused("key=/nowhere", "the key file /nowhere is no file")
        self.assert_refused("jwks=http://id.example.org/", "use https")
        self.assert_refused(f"{_URL},algorithms=HS256", "has no secrets")

    def test_algorithms(self) -> None:
        """Those that there are, and that the key is for: a public key is never for HMAC."""
        for text in ("none", "RS256+none", "rs256", "RS256+", "ES256K", "RS256 PS256"):
            self.assert_refused(f"key={self.path},algorithms={text}", "algorithms is not made of")
        self.assert_refused(f"key={self.path},algorithms=HS256", "none of the algorithms")
        Path(self.path).write_bytes(SECRET)
        self.assert_refused(f"key={self.path},algorithms=RS256", "it is a secret")

    def test_values(self) -> None:
        """Each value has its bounds."""
        for text, pattern in (
            ("leeway=-1", "from 0 to 300"),
            ("leeway=301", "from 0 to 300"),
            ("leeway=nan", "from 0 to 300"),
            ("leeway=1s", "from 0 to 300"),
            ("expiry=never", "neither required nor optional"),
            ("cookie=a b", "not the name of a cookie"),
            ("groups=#", "a group is neither a name"),
            ("groups=jobs-*+", "a group is neither a name"),
            ("audience=", "audience has no value"),
            ("verify=no", "'verify' is not one of"),
        ):
            self.assert_refused(f"key={self.path},{text}", pattern)
        for text, pattern in (
            ("refresh=9", "from 10 to 86400"),
            ("keep=604801", "from 10 to 604800"),
            ("timeout=3", "from 0.1 to 2.4"),
            ("refresh=600,keep=300", "keep is less than refresh"),
        ):
            self.assert_refused(f"{_URL},{text}", pattern)

    def test_help(self) -> None:
        """Every argument is in the help, which fits a terminal."""
        error = self.assertRaises(InvalidAuthArgumentString, read_arguments, "x=1")
        names = str(error).partition(" is not one of ")[2].split(", ")
        self.assertEqual(len(names), 14)
        for name in names:
            self.assertIn(f"{name}=", ARGUMENTS)
            self.assertRegex(HELP, rf"(?m)^{name} ")
        self.assertLessEqual(max(map(len, HELP.splitlines())), 100)
