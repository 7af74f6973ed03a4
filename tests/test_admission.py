"""`towerws.admission`: headers and methods, and how much is kept of a body."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from towerws.admission import BoundedBody, Refusal, check_headers, require_token

_JSON = {b"Content-Type": [b"Application/JSON; charset=utf-8"]}


class CheckHeadersTests(SynchronousTestCase):
    """Who may emit."""

    def _refusal(self, headers: dict[bytes, list[bytes]], token: str | None = None) -> int:
        refusal = self.assertRaises(Refusal, check_headers, Headers(headers), token)
        return int(refusal.status)

    def test_accepted(self) -> None:
        """JSON, in any spelling; with the token, when there is one."""
        check_headers(Headers(_JSON), None)
        for scheme in (b"Bearer", b"bearer"):
            check_headers(Headers(_JSON | {b"Authorization": [scheme + b" t0ken"]}), "t0ken")

    def test_refused(self) -> None:
        """Pages first, then strangers, then other types."""
        self.assertEqual(self._refusal({b"Origin": [b"null"]}, "t0ken"), 403)
        self.assertEqual(self._refusal(_JSON, "t0ken"), 403)
        for content_type in (b"", b"text/json", b"application/jsonp", b"multipart/form-data"):
            self.assertEqual(self._refusal({b"Content-Type": [content_type]}), 415)
        self.assertEqual(self._refusal({}), 415)

    def test_token(self) -> None:
        """The scheme and all of the token have to be right."""
        for value in (b"t0ken", b"Basic t0ken", b"Bearer", b"Bearer t0ke", b"Bearer t0ken t0ken"):
            headers = Headers({b"Authorization": [value]})
            self.assertRaises(Refusal, require_token, headers, "t0ken")


class BoundedBodyTests(SynchronousTestCase):
    """Memory has an end."""

    def test_limit(self) -> None:
        """What comes beyond the limit is forgotten, in whatever pieces it comes."""
        body = BoundedBody(5)
        self.assertEqual([body.write(piece) for piece in (b"abc", b"def", b"ghi")], [3, 2, 0])
        self.assertEqual(body.getvalue(), b"abcde")
