"""`towerws.operations.admission`: headers and methods, and how much is kept of a body."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from towerws.operations.admission import (
    BoundedBody,
    Refusal,
    has_token,
    require_json,
    require_local_host,
    require_program,
    require_token,
)


def _headers(name: bytes, *values: bytes) -> Headers:
    return Headers({name: list(values)} if values else {})


class RefusalTests(SynchronousTestCase):
    """Who and what is let through."""

    def _refusal(self, check: Callable[..., None], *arguments: object) -> tuple[int, str | None]:
        refusal = self.assertRaises(Refusal, check, *arguments)
        self.assertEqual(str(refusal), refusal.sentence)
        return int(refusal.status), refusal.reason

    def test_program(self) -> None:
        """Whatever names an origin is a page, ``null`` and nothing included."""
        require_program(Headers())
        for origin in (b"https://evil.example", b"http://localhost:8052", b"null", b""):
            refusal = self._refusal(require_program, _headers(b"Origin", origin))
            self.assertEqual(refusal, (403, "origin"))

    def test_local_host(self) -> None:
        """Each ``Host`` has to be local; what sends none is no browser."""
        for values in ((), (b"localhost:8052",), (b"127.0.0.1", b"[::1]")):
            require_local_host(_headers(b"Host", *values))
        for values in ((b"evil.example",), (b"",), (b"localhost", b"evil.example"), (b"\xff",)):
            refusal = self._refusal(require_local_host, _headers(b"Host", *values))
            self.assertEqual(refusal, (421, "host"))

    def test_token(self) -> None:
        """The scheme, in any case, and all of the token have to be right."""
        for value in (b"Bearer t0ken", b"bearer t0ken", b"BEARER  t0ken "):
            require_token(_headers(b"Authorization", value), "t0ken")
            self.assertTrue(has_token(_headers(b"Authorization", value), "t0ken"))
        for value in (
            b"",
            b"t0ken",
            b"Basic t0ken",
            b"Bearer",
            b"Bearer t0ke",
            b"Bearer t0ken t0ken",
        ):
            headers = _headers(b"Authorization", value)
            self.assertEqual(self._refusal(require_token, headers, "t0ken"), (403, "token"))
            self.assertFalse(has_token(headers, "t0ken"))
        self.assertFalse(has_token(Headers(), "t0ken"))

    def test_token_in_other_letters(self) -> None:
        """A token may be any text; what is sent is compared in UTF-8."""
        headers = _headers(b"Authorization", "Bearer tökén".encode())
        self.assertTrue(has_token(headers, "tökén"))
        self.assertFalse(has_token(_headers(b"Authorization", b"Bearer t\xf6k\xe9n"), "tökén"))

    def test_no_token(self) -> None:
        """Where none is asked for, any will do."""
        require_token(Headers(), None)
        self.assertTrue(has_token(_headers(b"Authorization", b"Bearer x"), None))

    def test_json(self) -> None:
        """JSON, in any spelling and with parameters; nothing else."""
        for value in (
            b"application/json",
            b"Application/JSON; charset=utf-8",
            b" application/json ",
        ):
            require_json(_headers(b"Content-Type", value))
        for values in (
            (),
            (b"",),
            (b"text/json",),
            (b"application/jsonp",),
            (b"multipart/form-data",),
        ):
            refusal = self._refusal(require_json, _headers(b"Content-Type", *values))
            self.assertEqual(refusal, (415, None))


class BoundedBodyTests(SynchronousTestCase):
    """Memory has an end."""

    def test_limit(self) -> None:
        """What comes beyond the limit is forgotten, in whatever pieces it comes."""
        body = BoundedBody(5)
        self.assertEqual([body.write(piece) for piece in (b"abc", b"def", b"ghi")], [3, 2, 0])
        self.assertEqual(body.getvalue(), b"abcde")
