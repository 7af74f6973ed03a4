"""The opening handshake: what it must fulfil, who decides on it, and how a refusal looks.

Autobahn parses the request and checks what RFC 6455 demands; here is what we demand beyond that.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred

from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IUser
from towerws.core import origin
from towerws.core.hosts import is_host, is_local_host

#: How many bytes a client may send before its handshake is answered: the headers, of which
#: cookies are the most, and what an eager client sends behind them.
MAX_BYTES = 1 << 16

#: Headers of one handshake. Browsers send some twenty, and proxies add some.
MAX_HEADERS = 200

#: Seconds for a client to send its handshake after the connection is there.
SEND_TIMEOUT = 10

#: Seconds for the authenticator. AWX's Angular client gives up after 3; the first scheme that asks
#: somebody waits for 2.5 at most, and then says for whom.
AUTHENTICATION_TIMEOUT = 2.75

#: Seconds after which those come back that were refused for a limit, or because nobody could be
#: asked who they are.
RETRY_AFTER = 10

#: Pages of which is remembered whether they are the server's own: most clients come from the same
#: one. With their hosts they may be as long as a handshake, so that this is 4 MiB at worst.
REMEMBERED_PAGES = 64

_RETRY = (f"Retry-After: {RETRY_AFTER}", "Connection: close")

#: What RFC 9110 demands beside some statuses (sections 15.5.22, 7.8 and 15.5.6), and RFC 6585
#: suggests (section 4).
_HEADERS = {
    HTTPStatus.UPGRADE_REQUIRED: ("Upgrade: websocket", "Connection: Upgrade, close"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Allow: GET", "Connection: close"),
    HTTPStatus.TOO_MANY_REQUESTS: _RETRY,
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY,
}

#: What Autobahn says with these statuses repeats the request.
_SENTENCES = {
    HTTPStatus.METHOD_NOT_ALLOWED: "A websocket begins with GET.",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "A websocket begins with HTTP/1.1.",
}

#: RFC 9110, section 5.1.
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

#: What Autobahn repeats of a request stands behind the first of these; a parenthesis that is open
#: then goes with it.
_REPEATED = re.compile(r"\s*(?:\([^)]*)?[\"':].*", re.DOTALL)

_BARE = ("\r", "\n", "\0")


class Authenticator(Protocol):
    """Finds out who is behind a handshake."""

    def authenticate(self, handshake: Handshake) -> "Deferred[IUser | None]":
        """Look at a handshake.

        Args:
            handshake: What the client has shown.

        Returns:
            Fires with who it is, with None for somebody who could not be authenticated; fails with
            `towerws.auth.errors.Unavailable` if that cannot be found out at the moment. It is
            cancelled when the client leaves or the time is up.
        """


def read_headers(head: bytes) -> Mapping[str, str]:
    r"""Read the headers of a request once more, strictly.

    Autobahn ends lines also at bytes such as 0x85 and 0x0B, which proxies let pass within values:
    with ``Cookie: \x85X-Forwarded-For: 192.0.2.1`` clients would put a header of their own behind
    those of the proxy. It takes names with blanks around them, too.

    Args:
        head: The request up to the empty line.

    Returns:
        Values by name in lower case; those of repeated headers joined by commas, those of
        ``Cookie`` by semicolons (RFC 9113, section 8.2.3).

    Raises:
        ConnectionDeny: A line is no header.
    """
    headers: dict[str, str] = {}
    lines = head.decode("iso-8859-1").rstrip("\r\n").split("\r\n")
    # What is still within a line, and ends it for some who read it.
    text = "".join(lines)
    are_whole = not any(bare in text for bare in _BARE)
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not are_whole or not colon or _FIELD_NAME.fullmatch(name) is None:
            raise denied(HTTPStatus.BAD_REQUEST, "A line of the request is not a header.")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            value = f"{headers[name]}{'; ' if name == 'cookie' else ', '}{value}"
        headers[name] = value
    return headers


def split_list(header: str) -> tuple[str, ...]:
    """Take a header apart that is a list, such as ``Sec-WebSocket-Protocol``.

    Args:
        header: Its value.

    Returns:
        The elements, in order and without blanks.
    """
    return tuple(each for part in header.split(",") if (each := part.strip(" \t")))


def check(
    handshake: Handshake,
    paths: Collection[str],
    origins: Collection[str],
    *,
    scheme: str | None = None,
    guard_rebinding: bool = False,
) -> None:
    """Make sure that a request is for the websocket, and not from a page of another site.

    Args:
        handshake: The request.
        paths: Where the websocket is.
        origins: Origins that are allowed beside the server's own; see `origin.normalize`.
        scheme: By which pages of this host are served; None if that is not known.
        guard_rebinding: Whether pages of this host that are not named have to come from an address
            or from a name of this machine; see `towerws.core.hosts`.

    Raises:
        ConnectionDeny: It is not; with the HTTP status and a sentence.
    """
    # Autobahn may have found one where there is none.
    host = handshake.headers.get("host", "")
    if not is_host(host):
        raise denied(HTTPStatus.BAD_REQUEST, "The Host header is no host.")
    if handshake.path not in paths:
        raise denied(HTTPStatus.NOT_FOUND, _not_found(paths))
    page = handshake.headers.get("origin")
    if page is None or origin.is_named(page, origins):
        return
    is_own, is_local = _look_at_page(page, host, scheme)
    if not is_own:
        raise denied(HTTPStatus.FORBIDDEN, "Pages of this origin may not connect; see --origin.")
    if guard_rebinding and not is_local:
        raise denied(
            HTTPStatus.FORBIDDEN,
            "As everybody may connect here, pages of this host have to be named; see --origin.",
        )


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


def without_quotes(status: HTTPStatus, sentence: str) -> str:
    """Take out of a sentence of Autobahn's what it repeats of the request: that may be a token.

    Args:
        status: The HTTP status that it is said with.
        sentence: The sentence, or one of ours.

    Returns:
        What stands before the first quotation mark or colon, where Autobahn begins to repeat; ours
        as they are.
    """
    if status in _SENTENCES:
        return _SENTENCES[status]
    if status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR):
        return sentence
    return _REPEATED.sub("", sentence)


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
        *_HEADERS.get(status, ("Connection: close",)),
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@lru_cache(REMEMBERED_PAGES)
def _look_at_page(page: str, host: str, scheme: str | None) -> tuple[bool, bool]:
    """Tell whether a page is the host's own, and whether the host is local."""
    return origin.is_own(page, host, scheme), is_local_host(host)


def _not_found(paths: Collection[str]) -> str:
    return f"There is nothing here: the websocket is at {min(paths)}"
