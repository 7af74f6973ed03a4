"""What publishes: ``POST /emit/<group>`` and ``POST /revoke``."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from towerws.core import payload
from towerws.core.groups import describe_bad_name, is_group_name
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.operations.admission import Refusal, require_json, require_method
from towerws.operations.answers import JSONResource, answer_with


class Emitter(Protocol):
    """Where events and revocations go that are published over HTTP: the server, or all workers."""

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """Publish an event.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            Fires with what is to be answered, within a bounded time; fails with
            `SourceUnavailable`.
        """

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """Take access away from the connections of a user, wherever they are.

        Args:
            revocation: Who may hear less.

        Returns:
            As `emit`.
        """

    def unready(self) -> str | None:
        """Give the reason why clients had better not come at the moment, None if they may.

        Either no events flow, or the server drains.
        """


class Publishing(JSONResource, ABC):
    """Takes what is posted to it, hands it on, and answers with what became of it."""

    def __init__(self, metrics: Metrics, name: str, description: str, *, max_body: int) -> None:
        """Set up the resource.

        Args:
            metrics: Where requests are counted, by their results.
            name: Of the counter.
            description: Of the counter.
            max_body: The largest body, in bytes.
        """
        super().__init__()
        self._max_body = max_body
        self._accepted, self._refused, self._failed = (
            metrics.counter(name, description, result=result)
            for result in ("accepted", "refused", "failed")
        )

    @abstractmethod
    def read(self, request: Request, body: bytes) -> Callable[[], Deferred[dict[str, object]]]:
        """Understand a request.

        Args:
            request: The request.
            body: What came with it, no longer than the limit.

        Returns:
            Hands it on when called; the Deferred fires with the answer, or fails with
            `SourceUnavailable`.

        Raises:
            Refusal: It cannot be handed on.
        """

    def respond(self, request: Request) -> int:
        """Hand on what was posted, and answer when it is known what became of it."""
        try:
            hand_on = self.read(request, self._body(request))
        except Refusal:
            self._refused.add()
            raise
        return self.respond_later(request, self._hand_on(request, hand_on))

    async def _hand_on(
        self, request: Request, hand_on: Callable[[], Deferred[dict[str, object]]]
    ) -> bytes:
        try:
            status, answer = HTTPStatus.ACCEPTED, await hand_on()
            self._accepted.add()
        except SourceUnavailable as error:
            status, answer = HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}
            self._failed.add()
        except Exception:
            self._failed.add()
            raise
        return answer_with(request, status, answer)

    def _body(self, request: Request) -> bytes:
        require_method(request, b"POST")
        require_json(request.requestHeaders)
        assert request.content is not None, "Twisted renders a request when its body is there"
        body: bytes = request.content.read()
        if len(body) > self._max_body:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The payload is larger than {self._max_body} bytes.",
            )
        return body


class Emit(Publishing):
    """``POST /emit/<group>``."""

    def __init__(self, emitter: Emitter, metrics: Metrics, max_event: int) -> None:
        """Set up the resource.

        Args:
            emitter: Takes the events.
            metrics: Where requests are counted.
            max_event: The largest payload, in bytes.
        """
        super().__init__(
            metrics,
            "towerws_emits_total",
            "Requests to emit an event, by what became of it.",
            max_body=max_event,
        )
        self._emitter = emitter

    def read(self, request: Request, body: bytes) -> Callable[[], Deferred[dict[str, object]]]:
        """See `Publishing.read`."""
        group = b"/".join(request.postpath or ()).decode("utf-8", "replace")
        if not is_group_name(group):
            raise Refusal(HTTPStatus.BAD_REQUEST, _sentence(describe_bad_name(group)))
        try:
            payload.check(body)
        except payload.PayloadError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, _sentence(str(error))) from None
        return partial(self._emitter.emit, group, body)


class Revoke(Publishing):
    """``POST /revoke``."""

    def __init__(self, emitter: Emitter, metrics: Metrics, max_body: int) -> None:
        """Set up the resource.

        Args:
            emitter: Takes the revocations.
            metrics: Where requests are counted.
            max_body: The largest body, in bytes.
        """
        super().__init__(
            metrics,
            "towerws_revoke_requests_total",
            "Requests to revoke access, by what became of them.",
            max_body=max_body,
        )
        self._emitter = emitter

    def read(self, request: Request, body: bytes) -> Callable[[], Deferred[dict[str, object]]]:
        """See `Publishing.read`."""
        if request.postpath:
            raise Refusal(HTTPStatus.NOT_FOUND, "Whom to revoke stands in the body, not the path.")
        try:
            revocation = Revocation.decode(body)
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, _sentence(str(error))) from None
        return partial(self._emitter.revoke, revocation)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
