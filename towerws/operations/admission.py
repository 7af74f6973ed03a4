"""What a request to the operators' site must fulfil, and what is kept of one that does not."""

import hmac
from http import HTTPStatus
from io import BytesIO

from twisted.web.http_headers import Headers
from twisted.web.server import Request

from towerws.core.hosts import is_local_host


class Refusal(Exception):
    """A request that is refused.

    Attributes:
        status: The HTTP status.
        sentence: Why, for people.
        reason: What of the caller was wrong: ``host``, ``origin`` or ``token``; None if it was the
            request.
    """

    def __init__(self, status: HTTPStatus, sentence: str, reason: str | None = None) -> None:
        """Refuse.

        Args:
            status: The HTTP status.
            sentence: Why, for people.
            reason: What of the caller was wrong, if anything.
        """
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.reason = reason


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


def require_program(headers: Headers) -> None:
    """Refuse what a web page of another site makes a browser send; no operator is a page.

    Args:
        headers: Of the request.

    Raises:
        Refusal: It has an origin.
    """
    if headers.hasHeader(b"origin"):
        raise Refusal(HTTPStatus.FORBIDDEN, "Web pages may ask for nothing here.", "origin")


def require_local_host(headers: Headers) -> None:
    """Refuse a request that was sent to a name of somebody else, which was made to point here.

    Args:
        headers: Of the request. Without ``Host`` it does not come from a browser.

    Raises:
        Refusal: See `towerws.core.hosts`.
    """
    for host in headers.getRawHeaders(b"host", []):
        if not is_local_host(host.decode("latin-1")):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "Without a token, ask for localhost or an IP address: the Host header names "
                "something else.",
                "host",
            )


def require_token(headers: Headers, token: str | None) -> None:
    """Refuse who does not have the token.

    Args:
        headers: Of the request.
        token: What it must have as ``Authorization: Bearer``; None asks for nothing.

    Raises:
        Refusal: It has none, or another one.
    """
    if not has_token(headers, token):
        raise Refusal(HTTPStatus.FORBIDDEN, "The bearer token is missing or wrong.", "token")


def has_token(headers: Headers, token: str | None) -> bool:
    """Compare the token, in a time that does not tell how much of it was right.

    Args:
        headers: Of the request.
        token: What it must have as ``Authorization: Bearer``; None asks for nothing.

    Returns:
        True if it has that.
    """
    if token is None:
        return True
    scheme, _, given = headers.getRawHeaders(b"authorization", [b""])[0].partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode())


def require_json(headers: Headers) -> None:
    """Refuse what does not say that it is JSON.

    Args:
        headers: Of the request.

    Raises:
        Refusal: It is another type, or none.
    """
    content_type = headers.getRawHeaders(b"content-type", [b""])[0]
    if content_type.split(b";")[0].strip().lower() != b"application/json":
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type must be application/json."
        )
