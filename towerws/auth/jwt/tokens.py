"""Signed tokens (RFC 7519, RFC 7515): where a client shows one, and whether a key made it."""

import base64
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import jwt

from towerws.auth.handshake import Handshake
from towerws.auth.jwt.keys import ALGORITHMS, Key, KeySet

#: Longest token, in characters. What proxies and servers take as one header, by default: 8 KiB.
MAX_TOKEN = 8192

#: What stands before a token in the list of subprotocols, the only thing that a page can set.
SUBPROTOCOL = "bearer."

#: Header, payload, signature, each of them base64url without padding and none empty.
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_SIGNATURES = jwt.PyJWS(algorithms=sorted(ALGORITHMS))


class Reason(StrEnum):
    """Why a token is refused: all that is ever said of it."""

    MISSING = "there is none"
    AMBIGUOUS = "there are two that differ"
    TOO_LONG = "it is too long"
    MALFORMED = "it is no signed token"
    CRITICAL = "its header has an extension that must be understood"
    ALGORITHM = "its algorithm is none of ours"
    KEY = "its key is not known"
    SIGNATURE = "its signature is wrong"
    CLAIMS = "its payload is no object with claims of the right types"
    NO_EXPIRY = "it does not say when it expires"
    EXPIRED = "it has expired"
    NOT_YET = "it is not valid yet"
    AUDIENCE = "it is for somebody else"
    ISSUER = "it comes from somebody else"
    SUBJECT = "its subject is no user"
    GROUPS = "its groups are no list of patterns"
    CSRF = "its CSRF token is no text"


class Refused(Exception):
    """A token is refused.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Token:
    """A token that has not been verified.

    Attributes:
        text: All of it.
        algorithm: How it says that it is signed.
        key_id: What it calls its key; None if it does not say.
    """

    text: str = field(repr=False)
    algorithm: str
    key_id: str | None


def find_token(handshake: Handshake, cookie: str | None) -> tuple[str, bool]:
    """Find the token of a client.

    One that the client named on purpose, in the ``Authorization`` header or the list of
    subprotocols, comes before the one in a cookie, which browsers send along whoever asks.

    Args:
        handshake: What it shows.
        cookie: The name of the cookie that may have one; None for no cookie.

    Returns:
        The token, and whether it is the one of the cookie.

    Raises:
        Refused: There is none, or there are two on purpose that differ.
    """
    named = {
        each.removeprefix(SUBPROTOCOL)
        for each in handshake.subprotocols
        if each.startswith(SUBPROTOCOL)
    }
    if handshake.bearer is not None:
        named.add(handshake.bearer)
    if len(named) > 1:
        raise Refused(Reason.AMBIGUOUS)
    if named:
        return named.pop(), False
    sent = handshake.cookies.get(cookie) if cookie is not None else None
    if not sent:
        raise Refused(Reason.MISSING)
    return sent, True


def parse_token(text: str) -> Token:
    """Read the header of a token.

    Only ``alg`` and ``kid`` are read, which choose among the keys there are. Keys that it brings
    along or names by a URL (``jwk``, ``jku``, ``x5c``, ``x5u``) are ignored, and so is ``typ``.

    Args:
        text: Whatever the client sent.

    Returns:
        The token, of which nothing is known to be true.

    Raises:
        Refused: It is none, or no key could have signed it.
    """
    if len(text) > MAX_TOKEN:
        raise Refused(Reason.TOO_LONG)
    if _SHAPE.fullmatch(text) is None:
        raise Refused(Reason.MALFORMED)
    header = _read_header(text)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        raise Refused(Reason.MALFORMED)
    # `b64` (RFC 7797) changes what is signed, and must be in `crit`.
    if "crit" in header or "b64" in header:
        raise Refused(Reason.CRITICAL)
    if algorithm not in ALGORITHMS:
        raise Refused(Reason.ALGORITHM)
    return Token(text, algorithm, key_id)


def verify(token: Token, keys: KeySet) -> tuple[bytes, Key]:
    """Find out which key a token is signed with.

    Args:
        token: The token.
        keys: Those that may have signed it.

    Returns:
        Its payload, and the key.

    Raises:
        Refused: None of them has.
    """
    fitting = tuple(keys.fitting(token.algorithm, token.key_id))
    for key in fitting:
        payload = _signed_with(token.text, key)
        if payload is not None:
            return payload, key
    raise Refused(Reason.SIGNATURE if fitting else Reason.KEY)


def _read_header(token: str) -> dict[str, Any]:
    segment = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise Refused(Reason.MALFORMED)
    return header


def _signed_with(token: str, key: Key) -> bytes | None:
    # The algorithms are the key's and not the token's, whatever was compared before.
    try:
        complete = _SIGNATURES.decode_complete(
            token, key.material, algorithms=sorted(key.algorithms)
        )
    except (jwt.PyJWTError, ValueError):
        return None
    payload: bytes = complete["payload"]
    return payload
