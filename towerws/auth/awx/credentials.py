"""What a client shows that AWX can make something of, and nothing else that it sends."""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from towerws.auth.cache import digest
from towerws.auth.interfaces import IHandshake

#: The session's cookie: up to AWX 20.0.0, and since.
SESSION_COOKIES = ("sessionid", "awx_sessionid")

#: Django's, which AWX leaves as it is.
_CSRF_COOKIE = "csrftoken"

# The octets that RFC 6265 has in a cookie's value. Keys of Django's sessions have no others, so
# that none needs quotes; and none can end the header.
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,4096}")

# A user's password or an OAuth 2 token, the two that AWX takes.
_AUTHORIZATION = re.compile(r"(?:basic|bearer) [!-~ ]{1,8192}", re.IGNORECASE)

# What no client can send: it is nobody's token, and was never told to anybody.
_IMPOSSIBLE = secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What AWX is asked with.

    Attributes:
        headers: Those that show who asks.
        key: Stands for them where they must not be kept.
        csrf_token: What each frame's ``xrftoken`` must be; None to ask for nothing.
    """

    headers: Mapping[str, str] = field(repr=False)
    key: bytes = field(repr=False)
    csrf_token: str | None = field(repr=False)


def read_credentials(
    handshake: IHandshake, session_cookies: Collection[str] = SESSION_COOKIES
) -> Credentials | None:
    """Pick the credentials out of a handshake.

    With both a session and an ``Authorization``, AWX is sent both, and decides as it does for
    every request.

    Args:
        handshake: Of whoever it may be.
        session_cookies: Names of cookies, each sent on if it is there.

    Returns:
        The credentials; None if there are none, so that AWX need not be asked.
    """
    cookies = handshake.cookies
    session = "; ".join(
        f"{name}={cookies[name]}"
        for name in session_cookies
        if _COOKIE_VALUE.fullmatch(cookies.get(name, ""))
    )
    authorization = handshake.headers.get("authorization", "").strip()
    if not _AUTHORIZATION.fullmatch(authorization):
        authorization = ""
    if not session and not authorization:
        return None
    headers = {"Cookie": session, "Authorization": authorization}
    return Credentials(
        {name: value for name, value in headers.items() if value},
        digest(session, authorization),
        _csrf_token(cookies, has_session=bool(session)),
    )


def _csrf_token(cookies: Mapping[str, str], *, has_session: bool) -> str | None:
    token = cookies.get(_CSRF_COOKIE)
    if token:
        return token
    # A browser sends a session's cookie whatever page made it connect. As in AWX, a session that
    # has no token cannot show which page it was; each frame is refused. Tokens no browser sends by
    # itself, nor passwords for which it was never asked: AWX has no such challenge.
    return _IMPOSSIBLE if has_session else None
