"""What tells how the server is: health, readiness, metrics."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from twisted.web.resource import Resource
from twisted.web.server import Request

from towerws.core.metrics import Metrics
from towerws.operations.admission import Refusal, has_token, require_method
from towerws.operations.answers import JSONResource, answer_with
from towerws.operations.publishing import Emitter


class NotFound(JSONResource):
    """Whatever is not there."""

    isLeaf = False

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Find nothing below it either."""
        return NotFound()

    def respond(self, request: Request) -> bytes:
        """Say what there is."""
        raise Refusal(
            HTTPStatus.NOT_FOUND,
            "There is nothing here: see POST /emit/<group>, POST /revoke, /health, /ready and "
            "/metrics.",
        )


class Health(JSONResource):
    """``GET /health``."""

    def respond(self, request: Request) -> bytes:
        """Say that the process works."""
        require_method(request, b"GET")
        return answer_with(request, HTTPStatus.OK, {"healthy": True})


class Ready(JSONResource):
    """``GET /ready``."""

    def __init__(self, emitter: Emitter, token: str | None) -> None:
        """Set up the resource.

        Args:
            emitter: Knows whether clients may come.
            token: What callers must have to be told why not; None asks for nothing.
        """
        super().__init__()
        self._emitter = emitter
        self._token = token

    def respond(self, request: Request) -> bytes:
        """Say whether clients may come, and why not."""
        require_method(request, b"GET")
        reason = self._emitter.unready()
        if reason is None:
            return answer_with(request, HTTPStatus.OK, {"ready": True})
        answer: dict[str, object] = {"ready": False}
        if has_token(request.requestHeaders, self._token):
            # It may name the broker's address, and what the broker said.
            answer["reason"] = reason
        return answer_with(request, HTTPStatus.SERVICE_UNAVAILABLE, answer)


class MetricsPage(JSONResource):
    """``GET /metrics``."""

    def __init__(
        self,
        metrics: Metrics,
        render: Callable[[], Awaitable[str]] | None,
    ) -> None:
        """Set up the resource.

        Args:
            metrics: What it shows.
            render: Called for the page instead, if there is more to be shown.
        """
        super().__init__()
        self._metrics = metrics
        self._render = render

    def respond(self, request: Request) -> int:
        """Answer with the page, when it is there."""
        require_method(request, b"GET")
        request.setHeader(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return self.respond_later(request, self._page(request))

    async def _page(self, request: Request) -> bytes:
        text = self._metrics.render() if self._render is None else await self._render()
        page = text.encode()
        request.setHeader(b"content-length", str(len(page)).encode())
        return page
