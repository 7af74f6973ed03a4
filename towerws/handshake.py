"""The opening handshake: what it must fulfil, who decides on it, and how a refusal looks.

Autobahn parses the request and checks what RFC 6455 demands; here is what we demand beyond that.
"""

from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Protocol

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred

from towerws.core import origin
from towerws.core.session import Identity

#: How many bytes a client may send before its handshake is answered: the headers, of which
#: cookies are the most, and what an eager client sends behind them.
MAX_BYTES = 1 << 16

#: Seconds for a client to send its handshake after the connection is there.
SEND_TIMEOUT = 10

#: Seconds for the authenticator. AWX's Angular client gives up after 3.
AUTHENTICATION_TIMEOUT = 2.5


#: What RFC 9110 demands beside some statuses (sections 15.5.22, 7.8 and 15.5.6).
_REQUIRED_HEADERS = {
    HTTPStatus.UPGRADE_REQUIRED: ("Upgrade: websocket", "Connection: Upgrade, close"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Allow: GET", "Connection: close"),
}


class Authenticator(Protocol):
    """Finds out who is behind a handshake."""

    def authenticate(self, request: ConnectionRequest) -> Deferred[Identity | None]:
        """Look at a handshake.

        Args:
            request: Its path, headers and peer.

        Returns:
            Who it is; None for somebody who could not be authenticated. It is cancelled when the
            client leaves or the time is up.
        """


def check(request: ConnectionRequest, paths: Collection[str], origins: Collection[str]) -> None:
    """Make sure that a request is for the websocket, and not from a page of another site.

    Args:
        request: The request.
        paths: Where the websocket is.
        origins: Origins that are allowed beside the server's own; see `origin.normalize`.

    Raises:
        ConnectionDeny: It is not; with the HTTP status and a sentence.
    """
    if request.path not in paths:
        raise denied(HTTPStatus.NOT_FOUND, _not_found(paths))
    page = request.headers.get("origin")
    if page is not None and not origin.is_allowed(
        page.strip(), request.headers["host"].strip(), origins
    ):
        raise denied(HTTPStatus.FORBIDDEN, "Pages of this origin may not connect; see --origin.")


def denied(status: HTTPStatus, sentence: str) -> ConnectionDeny:
    """Make the exception by which Autobahn is told to refuse a handshake.

    Args:
        status: The HTTP status.
        sentence: Why, for people.

    Returns:
        The exception, to be raised in ``onConnect``.
    """
    # Autobahn asserts that the type is int itself, and answers 500 when that fails.
    return ConnectionDeny(status.value, sentence)


def plain_request_refusal(path: str, paths: Collection[str]) -> tuple[HTTPStatus, str]:
    """Choose the answer to a request that does not ask for a websocket.

    Args:
        path: What it asks for.
        paths: Where the websocket is.

    Returns:
        The HTTP status and a sentence.
    """
    if path in paths:
        return (
            HTTPStatus.UPGRADE_REQUIRED,
            "This is a websocket: connect with a websocket client.",
        )
    return HTTPStatus.NOT_FOUND, _not_found(paths)


def render_refusal(
    status: HTTPStatus, sentence: str, headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """Write an HTTP response that HTTP clients can show.

    Autobahn would put the sentence into the status line, and send no body and no length.

    Args:
        status: The HTTP status.
        sentence: Why, for people.
        headers: More headers.

    Returns:
        The whole response; the connection is to be closed behind it.
    """
    body = f"{sentence}\n".encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        *_REQUIRED_HEADERS.get(status, ("Connection: close",)),
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _not_found(paths: Collection[str]) -> str:
    return f"There is nothing here: the websocket is at {min(paths)}"
