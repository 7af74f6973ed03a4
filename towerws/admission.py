"""What a request to the operators' site must fulfil, and what is kept of one that does not."""

import hmac
from http import HTTPStatus
from io import BytesIO

from twisted.web.http_headers import Headers
from twisted.web.server import Request


class Refusal(Exception):
    """A request that is refused.

    Attributes:
        status: The HTTP status.
        sentence: Why, for people.
    """

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        """Refuse.

        Args:
            status: The HTTP status.
            sentence: Why, for people.
        """
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class BoundedBody(BytesIO):
    """A file that forgets what is written beyond a limit."""

    def __init__(self, limit: int) -> None:
        """Be empty.

        Args:
            limit: How many bytes are kept.
        """
        super().__init__()
        self._limit = limit

    def write(self, data: bytes) -> int:  # type: ignore[override]  # Twisted writes bytes
        """Take data, as far as the limit allows.

        Args:
            data: What to append.

        Returns:
            How much of it was kept.
        """
        return super().write(data[: max(0, self._limit - self.tell())])


def require_method(request: Request, method: bytes) -> None:
    """Refuse other methods; HEAD goes with GET.

    Args:
        request: The request; the answer gets an ``Allow`` header.
        method: The one that is allowed.

    Raises:
        Refusal: It is another one.
    """
    # Twisted turns HEAD into GET only for resources that dispatch by method.
    if request.method != method and not (method == b"GET" and request.method == b"HEAD"):
        request.setHeader(b"allow", method)
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"Only {method.decode()} is allowed here.")


def check_headers(headers: Headers, token: str | None) -> None:
    """Refuse what may not emit an event, or does not send JSON.

    Args:
        headers: Of the request.
        token: What it must have as ``Authorization: Bearer``; None asks for nothing.

    Raises:
        Refusal: It is refused.
    """
    # A page of another site could make a browser on this machine post here; no publisher is a
    # page, so whatever names an origin is refused.
    if headers.hasHeader(b"origin"):
        raise Refusal(HTTPStatus.FORBIDDEN, "Web pages may not emit events.")
    require_token(headers, token)
    content_type = headers.getRawHeaders(b"content-type", [b""])[0]
    if content_type.split(b";")[0].strip().lower() != b"application/json":
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type must be application/json."
        )


def require_token(headers: Headers, token: str | None) -> None:
    """Refuse who does not have the token.

    Args:
        headers: Of the request.
        token: What it must have as ``Authorization: Bearer``; None asks for nothing.

    Raises:
        Refusal: It has none, or another one.
    """
    if token is None:
        return
    scheme, _, given = headers.getRawHeaders(b"authorization", [b""])[0].partition(b" ")
    if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), token.encode()):
        raise Refusal(HTTPStatus.FORBIDDEN, "The bearer token is missing or wrong.")
