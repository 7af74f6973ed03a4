"""The operators' HTTP site: emit, health, readiness, metrics.

It stands on an endpoint of its own, so that clients never reach it; on the loopback interface by
default.

- ``POST /emit/<group>``: publish the body, a JSON object; 202 with what became of it.
- ``GET /health``: 200 while the process works.
- ``GET /ready``: 200 if events can flow, 503 and the reason otherwise.
- ``GET /metrics``: counters and gauges in the Prometheus text format.

Whatever is refused is answered with a JSON object ``{"error": "<one sentence>"}``.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from towerws.admission import (
    BoundedBody,
    Refusal,
    check_headers,
    require_method,
    require_token,
)
from towerws.core import payload
from towerws.core.groups import describe_bad_name, is_group_name
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics

#: Seconds without traffic after which a connection to the site is closed.
IDLE_TIMEOUT = 60


class Emitter(Protocol):
    """Where events go that are published over HTTP: the event source."""

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """Publish an event.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            Fires with what is to be answered, within a bounded time; fails with
            `SourceUnavailable`.
        """

    def unready(self) -> str | None:
        """Give the reason why no events flow at the moment, None if they do."""


class OperationsSite(Site):
    """The site, with a bound on what a request may hold in memory.

    Attributes:
        token: What callers must send as ``Authorization: Bearer``; None asks for nothing.
        max_event: The largest payload, in bytes.
    """

    def __init__(
        self,
        emitter: Emitter,
        metrics: Metrics,
        *,
        token: str | None,
        max_event: int,
        render: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """Set up the site.

        Args:
            emitter: Takes what is emitted.
            metrics: Where requests are counted, and what ``/metrics`` shows.
            token: What callers must send as ``Authorization: Bearer``; None asks for nothing.
            max_event: The largest payload, in bytes.
            render: Called for the page of ``/metrics`` where more is to be shown than ``metrics``;
                answers within a bounded time.
        """
        root = _NotFound()
        root.putChild(b"emit", _Emit(emitter, metrics, token, max_event))
        root.putChild(b"health", _Health())
        root.putChild(b"ready", _Ready(emitter))
        root.putChild(b"metrics", _Metrics(metrics, token, render))
        super().__init__(root, requestFactory=_BoundedRequest, timeout=IDLE_TIMEOUT)
        self.displayTracebacks = False
        self.noisy = False
        self.token = token
        self.max_event = max_event

    def log(self, request: http.Request) -> None:
        """Log no requests: emits are as frequent as events."""


class _BoundedRequest(Request):
    """A request of whose body only so much is kept as may be needed.

    Of one that is refused for its headers nothing is: it must cost no memory, and no time of
    Twisted's, which parses forms whoever sends them.
    """

    def gotLength(self, length: int | None) -> None:
        site = cast(OperationsSite, self.channel.site)  # type: ignore[attr-defined]  # set later
        try:
            check_headers(self.requestHeaders, site.token)
        except Refusal:
            self.content = BoundedBody(0)
        else:
            # One byte more shows that it is too large.
            self.content = BoundedBody(site.max_event + 1)


class _JSONResource(Resource, ABC):
    """Answers in JSON, refusals included."""

    isLeaf = True
    _log = Logger()

    def render(self, request: Request) -> bytes | int:
        # No "Server": who asks for it is looking for a version with a known hole.
        request.responseHeaders.removeHeader(b"server")
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        try:
            body = self.respond(request)
        except Refusal as refusal:
            body = _answer(request, refusal.status, {"error": refusal.sentence})
        return body if isinstance(body, int) else _body(request, body)

    @abstractmethod
    def respond(self, request: Request) -> bytes | int:
        """Answer a request as `render` does, or raise a `Refusal`."""

    def respond_later(self, request: Request, answer: Coroutine[Any, Any, bytes]) -> int:
        """Answer when the answer is there, unless whoever asked has left.

        Args:
            request: The request.
            answer: Comes to the body of the answer.

        Returns:
            What `respond` has to return.
        """
        Deferred.fromCoroutine(self._finish(request, answer)).addErrback(
            lambda failure: self._log.failure("while answering a request", failure)
        )
        return NOT_DONE_YET

    async def _finish(self, request: Request, answer: Coroutine[Any, Any, bytes]) -> None:
        gone = request.notifyFinish().addErrback(lambda _: None)
        try:
            body = await answer
        except Exception:  # noqa: BLE001  # any fault of ours; whoever asked gets an answer
            self._log.failure("while answering a request")
            sentence = "A fault of the server; see its log."
            body = _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, {"error": sentence})
        if not gone.called:
            request.write(_body(request, body))
            request.finish()


class _NotFound(_JSONResource):
    isLeaf = False

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self

    def respond(self, request: Request) -> bytes:
        raise Refusal(
            HTTPStatus.NOT_FOUND,
            "There is nothing here: see POST /emit/<group>, /health, /ready and /metrics.",
        )


class _Health(_JSONResource):
    def respond(self, request: Request) -> bytes:
        require_method(request, b"GET")
        return _answer(request, HTTPStatus.OK, {"healthy": True})


class _Ready(_JSONResource):
    def __init__(self, emitter: Emitter) -> None:
        super().__init__()
        self._emitter = emitter

    def respond(self, request: Request) -> bytes:
        require_method(request, b"GET")
        reason = self._emitter.unready()
        if reason is None:
            return _answer(request, HTTPStatus.OK, {"ready": True})
        return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, {"ready": False, "reason": reason})


class _Metrics(_JSONResource):
    def __init__(
        self,
        metrics: Metrics,
        token: str | None,
        render: Callable[[], Awaitable[str]] | None,
    ) -> None:
        super().__init__()
        self._metrics = metrics
        self._token = token
        self._render = render

    def respond(self, request: Request) -> int:
        require_method(request, b"GET")
        require_token(request.requestHeaders, self._token)
        request.setHeader(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return self.respond_later(request, self._page(request))

    async def _page(self, request: Request) -> bytes:
        text = self._metrics.render() if self._render is None else await self._render()
        page = text.encode()
        request.setHeader(b"content-length", str(len(page)).encode())
        return page


class _Emit(_JSONResource):
    def __init__(
        self, emitter: Emitter, metrics: Metrics, token: str | None, max_event: int
    ) -> None:
        super().__init__()
        self._emitter = emitter
        self._token = token
        self._max_event = max_event
        name, description = (
            "towerws_emits_total",
            "Requests to emit an event, by what became of it.",
        )
        self._accepted = metrics.counter(name, description, result="accepted")
        self._refused = metrics.counter(name, description, result="refused")
        self._failed = metrics.counter(name, description, result="failed")

    def respond(self, request: Request) -> int:
        try:
            group, body = self._event(request)
        except Refusal:
            self._refused.add()
            raise
        return self.respond_later(request, self._emit(request, group, body))

    async def _emit(self, request: Request, group: str, body: bytes) -> bytes:
        try:
            status, answer = HTTPStatus.ACCEPTED, await self._emitter.emit(group, body)
            self._accepted.add()
        except SourceUnavailable as error:
            status, answer = HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}
            self._failed.add()
        except Exception:
            self._failed.add()
            raise
        return _answer(request, status, answer)

    def _event(self, request: Request) -> tuple[str, bytes]:
        require_method(request, b"POST")
        check_headers(request.requestHeaders, self._token)
        assert request.content is not None, "Twisted renders a request when its body is there"
        body = request.content.read()
        if len(body) > self._max_event:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The payload is larger than {self._max_event} bytes.",
            )
        group = b"/".join(request.postpath or ()).decode("utf-8", "replace")
        if not is_group_name(group):
            raise Refusal(HTTPStatus.BAD_REQUEST, _sentence(describe_bad_name(group)))
        try:
            payload.check(body)
        except payload.PayloadError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, _sentence(str(error))) from None
        return group, body


def _body(request: Request, body: bytes) -> bytes:
    # Twisted would drop the body of an answer to HEAD as well, with a warning in the log.
    return b"" if request.method == b"HEAD" else body


def _answer(request: Request, status: HTTPStatus, answer: dict[str, object]) -> bytes:
    request.setResponseCode(status.value, status.phrase.encode())
    request.setHeader(b"content-type", b"application/json")
    body = json.dumps(answer).encode() + b"\n"
    request.setHeader(b"content-length", str(len(body)).encode())
    return body


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
