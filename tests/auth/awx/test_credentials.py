"""What of a handshake AWX is asked with."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.auth.awx.backend import handshake
from towerws.auth.awx.credentials import Credentials, read_credentials


def _read(cookie: str = "", **headers: str) -> Credentials:
    found = read_credentials(handshake(cookie, **headers))
    assert found is not None, "there are no credentials"
    return found


class HeadersTests(SynchronousTestCase):
    """What is sent on."""

    def test_awxkit(self) -> None:
        """A quoted value, as awxkit sends it, is sent on without quotes: to Django it is one."""
        for name in ("awx_sessionid", "sessionid"):
            credentials = _read(f'{name}="abc";csrftoken=def')
            self.assertEqual(credentials.headers, {"Cookie": f"{name}=abc"})

    def test_nothing_else(self) -> None:
        """No other cookie, and no other header, goes to AWX."""
        credentials = _read(
            "theme=dark; awx_sessionid=abc; sessionid=old; userLoggedIn=true",
            authorization="Bearer t0ken",
            origin="https://awx.example.org",
        )
        self.assertEqual(
            credentials.headers,
            {"Cookie": "sessionid=old; awx_sessionid=abc", "Authorization": "Bearer t0ken"},
        )

    def test_authorization(self) -> None:
        """Passwords and tokens are passed through, whatever the scheme's case."""
        for value in ("Basic YW5uOnM=", "Bearer abc", "bearer abc", "Bearer  a b"):
            self.assertEqual(_read(authorization=value).headers, {"Authorization": value})

    def test_named_cookie(self) -> None:
        """With another name of the cookie only that one counts."""
        shown = handshake("tower=abc; sessionid=def")
        credentials = read_credentials(shown, ("tower",))
        self.assertEqual(credentials and credentials.headers, {"Cookie": "tower=abc"})

    def test_none(self) -> None:
        """Without anything that AWX could take, nothing is asked."""
        for shown in (
            handshake(),
            handshake("csrftoken=def; token=abc"),
            handshake("sessionid="),
            handshake('sessionid=""'),
            handshake(authorization="Negotiate YII="),
            handshake(authorization="Bearer"),
            handshake(authorization="Basic "),
            handshake(authorization="Bearerabc"),
            handshake(authorization="Bearer " + "a" * 8193),
        ):
            self.assertIsNone(read_credentials(shown))

    def test_no_injection(self) -> None:
        """What could end a header or begin another cookie is no session."""
        values: list[Any] = [
            '"a\\073 b"', '"a\\012b"', '"a\\\\b"', "a b", "a,b", "a\r\nX-Evil: 1", "ü", "a" * 4097,
            '"\\"a"', "a\x00b",
        ]  # fmt: skip
        for value in values:
            self.assertIsNone(read_credentials(handshake(f"awx_sessionid={value}")), value)
        for value in ("Bearer a\r\nX-Evil: 1", "Basic ü", "Bearer a\x00", "Bearer a\n"):
            self.assertIsNone(read_credentials(handshake(x="1", authorization=value + "b")), value)


class KeyTests(SynchronousTestCase):
    """The key that stands for credentials."""

    def test_same(self) -> None:
        """The same credentials have the same key, whatever else is in the handshake."""
        self.assertEqual(
            _read('awx_sessionid="abc";csrftoken=1').key,
            _read("x=y; awx_sessionid=abc", origin="http://a").key,
        )

    def test_different(self) -> None:
        """Other credentials have another key."""
        keys = [
            _read("awx_sessionid=abc").key,
            _read("sessionid=abc").key,
            _read("awx_sessionid=abd").key,
            _read("awx_sessionid=abc", authorization="Bearer abc").key,
            _read(authorization="Bearer abc").key,
            _read(authorization="Basic abc").key,
        ]
        self.assertEqual(len(set(keys)), len(keys))


class CsrfTokenTests(SynchronousTestCase):
    """What each frame must bring."""

    def test_cookie(self) -> None:
        """The cookie's value must come back, quoted or not, whoever shows it."""
        self.assertEqual(_read("sessionid=a; csrftoken=def").csrf_token, "def")
        self.assertEqual(_read('sessionid=a;csrftoken="def"').csrf_token, "def")
        shown = _read("csrftoken=def", authorization="Bearer a")
        self.assertEqual(shown.csrf_token, "def")

    def test_session_without_token(self) -> None:
        """A session without the cookie, or with an empty one, is accepted, and no frame of it."""
        for cookie in ("sessionid=a", "sessionid=a; csrftoken=", 'sessionid=a; csrftoken=""'):
            token = _read(cookie).csrf_token
            assert token is not None, "frames without a token would be taken"
            self.assertGreater(len(token), 32)
        both = _read("sessionid=a", authorization="Bearer a")
        self.assertIsNotNone(both.csrf_token)

    def test_header_without_token(self) -> None:
        """No browser sends the header by itself, so there is nothing that a page could misuse."""
        self.assertIsNone(_read(authorization="Bearer a").csrf_token)
        self.assertIsNone(_read("csrftoken=", authorization="Basic YTpi").csrf_token)


class SecrecyTests(SynchronousTestCase):
    """Nothing of it is shown."""

    def test_repr(self) -> None:
        """The text for people has no secret."""
        shown = repr(_read("sessionid=s3cret; csrftoken=t0ken", authorization="Bearer s3cret"))
        self.assertNotIn("s3cret", shown)
        self.assertNotIn("t0ken", shown)
