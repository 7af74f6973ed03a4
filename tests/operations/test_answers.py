"""`towerws.operations.answers`: what every answer has, and what becomes of refusals and faults."""

from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.server import Request

from tests.operations.case import Response, SiteCase
from towerws.operations.admission import Refusal
from towerws.operations.answers import JSONResource, answer_with


class _Resource(JSONResource):
    """Answers as a test says."""

    def __init__(self, respond: Callable[[Request], bytes | int]) -> None:
        super().__init__()
        self._respond = respond

    def respond(self, request: Request) -> bytes | int:
        """Ask the test."""
        return self._respond(request)


class _Slow(JSONResource):
    """Answers when a test has the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Deferred[bytes] = Deferred()

    def respond(self, request: Request) -> bytes | int:
        """Wait for the test."""
        return self.respond_later(request, self._wait())

    async def _wait(self) -> bytes:
        return await self.answer


class JSONResourceTests(SiteCase):
    """A resource of a test, on the site."""

    def _put(self, respond: Callable[[Request], bytes | int]) -> None:
        self.site.resource.putChild(b"test", _Resource(respond))

    def _ask(self, method: str = "GET") -> Response:
        return self.request(method, "/test")

    def test_headers(self) -> None:
        """It is JSON, of a length that is told."""
        self._put(lambda request: answer_with(request, HTTPStatus.OK, {"a": "ä"}))
        response = self._ask()
        self.assertEqual((response.status, response.json), (200, {"a": "ä"}))
        self.assertEqual(response.headers["content-type"], "application/json")

    def test_head(self) -> None:
        """The headers are those of GET, without the body."""
        self._put(lambda request: answer_with(request, HTTPStatus.OK, {"a": 1}))
        response = self._ask("HEAD")
        self.assertEqual(response.body, b"")
        self.assertEqual(response.headers["content-length"], str(len(b'{"a": 1}\n')))

    def test_refusal(self) -> None:
        """A refusal is its status and its sentence."""

        def refuse(request: Request) -> bytes:
            raise Refusal(HTTPStatus.CONFLICT, "Not now.")

        self._put(refuse)
        response = self._ask()
        self.assertEqual((response.status, response.json), (409, {"error": "Not now."}))

    def test_later(self) -> None:
        """What takes its time is answered when it is there; a fault, without its text."""
        for outcome, status in ((b'{"a": 1}\n', 200), (Failure(ZeroDivisionError("secret")), 500)):
            resource = _Slow()
            self.site.resource.putChild(b"test", resource)
            transport = self.send(b"GET /test HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(transport.value(), b"")
            resource.answer.callback(outcome)
            response = Response(transport.value())
            self.assertEqual(response.status, status)
            self.assertNotIn(b"secret", response.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
