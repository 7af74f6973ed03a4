"""Resources that answer in JSON, refusals and faults included."""

import json
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from towerws.operations.admission import Refusal


class JSONResource(Resource, ABC):
    """Answers in JSON, refusals included."""

    isLeaf = True
    _log = Logger()

    def render(self, request: Request) -> bytes | int:
        """Answer; see `twisted.web.resource.IResource`."""
        try:
            body = self.respond(request)
        except Refusal as refusal:
            body = answer_with(request, refusal.status, {"error": refusal.sentence})
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
            body = answer_with(request, HTTPStatus.INTERNAL_SERVER_ERROR, {"error": sentence})
        if not gone.called:
            request.write(_body(request, body))
            request.finish()


class Refused(JSONResource):
    """Stands for whatever was asked for by somebody who may not."""

    def __init__(self, refusal: Refusal) -> None:
        """Set up the resource.

        Args:
            refusal: The answer.
        """
        super().__init__()
        self._refusal = refusal

    def respond(self, request: Request) -> bytes:
        """Refuse."""
        raise self._refusal


def answer_with(request: Request, status: HTTPStatus, answer: dict[str, object]) -> bytes:
    """Set the status and the headers of an answer.

    Args:
        request: What is answered.
        status: The HTTP status.
        answer: A JSON object.

    Returns:
        The body.
    """
    request.setResponseCode(status.value, status.phrase.encode())
    request.setHeader(b"content-type", b"application/json")
    body = json.dumps(answer).encode() + b"\n"
    request.setHeader(b"content-length", str(len(body)).encode())
    return body


def _body(request: Request, body: bytes) -> bytes:
    # Twisted would drop the body of an answer to HEAD as well, with a warning in the log.
    return b"" if request.method == b"HEAD" else body
