"""What a backend answers when asked who somebody is: ``{"user": 1, "groups": ["jobs-*"]}``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from towerws.core.patterns import PatternError, Patterns

#: Characters of a user's id, if it is text, and of a CSRF token. Django's token has 64.
MAX_TEXT = 1000

#: The end of the year 9999: what lies behind it is milliseconds, and would be years too late.
_LATEST = 253_402_300_800.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Who somebody is and what they may hear.

    Attributes:
        user: The id.
        groups: What they may hear.
        csrf_token: What each frame's ``xrftoken`` must be; None to ask for nothing.
        expires: Unix time in seconds at which it holds no more; None if it is not known.
    """

    user: int | str
    groups: Patterns
    csrf_token: str | None = field(default=None, repr=False)
    expires: float | None = None


def read_answer(said: Any, default: Patterns | None, now: float) -> Answer | None:
    """Read an answer; keys that are not known are ignored.

    Args:
        said: The decoded JSON.
        default: What somebody may hear of whom the answer does not say it; None if it must.
        now: The Unix time in seconds.

    Returns:
        The answer; None if it says that this is nobody, or nobody any more.

    Raises:
        ValueError: It says no such thing; the text is the end of a sentence about the answer, and
            has nothing of it.
    """
    if not isinstance(said, dict) or "user" not in said:
        raise ValueError("is no object with a user")
    if said["user"] is None:
        return None
    expires = _read_expires(said.get("expires"))
    if expires is not None and expires <= now:
        return None
    return Answer(
        _read_user(said["user"]), _read_groups(said, default), _read_csrf_token(said), expires
    )


def _read_user(user: Any) -> int | str:
    # A bool is an int for Python, but nobody's id. As text it is what access is revoked by.
    if (type(user) is int or isinstance(user, str)) and _is_text(str(user)):
        return user
    raise ValueError("has a user that is neither a whole number nor printable text")


def _read_csrf_token(said: Mapping[str, Any]) -> str | None:
    token = said.get("csrftoken")
    if token is None or (isinstance(token, str) and _is_text(token)):
        return token
    raise ValueError("has a csrftoken that is not printable text")


def _read_groups(said: Mapping[str, Any], default: Patterns | None) -> Patterns:
    groups = said.get("groups")
    if groups is None:
        if default is None:
            raise ValueError("has no groups, nor does --auth session:groups= give any")
        return default
    if not isinstance(groups, list):
        raise ValueError("has groups that are no list")
    try:
        return Patterns(groups)
    except PatternError as error:
        raise ValueError(f"has groups that cannot be: {error}") from None


def _read_expires(expires: Any) -> float | None:
    if expires is None:
        return None
    if isinstance(expires, str):
        try:
            moment = datetime.fromisoformat(expires)
        except ValueError:
            moment = None
        # A time without a zone is no moment.
        seconds = math.nan if moment is None or moment.tzinfo is None else moment.timestamp()
    else:
        seconds = expires if type(expires) in {int, float} else math.nan
    # Neither is NaN less than anything.
    if not -_LATEST < seconds < _LATEST:
        raise ValueError("has an expires that is neither Unix seconds nor ISO 8601 with a zone")
    return float(seconds)


def _is_text(value: str) -> bool:
    return 0 < len(value) <= MAX_TEXT and value.isprintable()
