"""What a token says of its user (RFC 7519, 4), once its signature has been found right."""

import json
from dataclasses import dataclass, field
from typing import Any

from towerws.auth.jwt.tokens import Reason, Refused
from towerws.core.patterns import PatternError, Patterns

#: Longest subject and CSRF token, in characters; OpenID Connect's limit for a subject.
MAX_TEXT = 255

#: Largest number of a user: what databases and other languages can hold.
MAX_NUMBER = 2**63 - 1

#: The last second of the year 9999. Larger dates are not in seconds.
_LAST_SECOND = 253402300799

#: Seconds by which clocks may differ, unless it is said.
DEFAULT_LEEWAY = 30.0

#: The claim with the patterns of groups, unless it is said.
DEFAULT_GROUPS_CLAIM = "groups"

#: Nothing may be heard.
NOTHING = Patterns(())


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must say.

    Attributes:
        audience: Whom it must be for (``aud``); None if it must be for nobody in particular.
        issuer: Who must have issued it (``iss``); None for whoever has the key.
        leeway: Seconds by which clocks may differ.
        must_expire: Whether it must say when it expires (``exp``).
        groups_claim: The claim with the patterns of groups.
        default_groups: What may be heard with a token that does not have this claim.
    """

    audience: str | None = None
    issuer: str | None = None
    leeway: float = DEFAULT_LEEWAY
    must_expire: bool = True
    groups_claim: str = DEFAULT_GROUPS_CLAIM
    default_groups: Patterns = NOTHING


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, as far as anybody here wants to know.

    Attributes:
        user: The subject.
        expires: Unix time in seconds from which on it is refused, the leeway included; None if
            it never is.
        groups: What the user may hear.
        csrf_token: What protects the user of a cookie from other sites; None for nothing.
    """

    user: int | str
    expires: float | None
    groups: Patterns
    csrf_token: str | None = field(repr=False)


def read_claims(payload: bytes, rules: Rules, now: float) -> Claims:
    """Read the claims of a token, and check them.

    Args:
        payload: What was signed.
        rules: What it must say.
        now: Unix time in seconds.

    Returns:
        The claims.

    Raises:
        Refused: They are not what they must be.
    """
    claims = _parse(payload)
    expires = _read_dates(claims, rules, now)
    _check_audience(claims, rules)
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise Refused(Reason.ISSUER)
    return Claims(
        user=_read_user(claims),
        expires=expires,
        groups=_read_groups(claims, rules),
        csrf_token=_read_csrf_token(claims),
    )


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise Refused(Reason.CLAIMS)
    return claims


def _read_dates(claims: dict[str, Any], rules: Rules, now: float) -> float | None:
    begins = [_read_date(claims, name) for name in ("nbf", "iat")]
    exp = _read_date(claims, "exp")
    if exp is None and rules.must_expire:
        raise Refused(Reason.NO_EXPIRY)
    if exp is not None and now >= exp + rules.leeway:
        raise Refused(Reason.EXPIRED)
    if any(begin is not None and begin > now + rules.leeway for begin in begins):
        raise Refused(Reason.NOT_YET)
    return None if exp is None else exp + rules.leeway


def _read_date(claims: dict[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    date = claims[name]
    # bool is an int to Python, and text would be one to PyJWT.
    if isinstance(date, bool) or not isinstance(date, int | float):
        raise Refused(Reason.CLAIMS)
    # NaN, which Python's JSON has, is not within either.
    if not 0 <= date <= _LAST_SECOND:
        raise Refused(Reason.CLAIMS)
    return float(date)


def _check_audience(claims: dict[str, Any], rules: Rules) -> None:
    if "aud" not in claims:
        if rules.audience is not None:
            raise Refused(Reason.AUDIENCE)
        return
    audience = claims["aud"]
    names = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in names):
        raise Refused(Reason.CLAIMS)
    # RFC 7519, 4.1.3: who is not in it must refuse the token, also who has no name at all.
    if rules.audience not in names:
        raise Refused(Reason.AUDIENCE)


def _read_user(claims: dict[str, Any]) -> int | str:
    subject = claims.get("sub")
    if isinstance(subject, str) and 0 < len(subject) <= MAX_TEXT and subject.isprintable():
        return subject
    if (
        isinstance(subject, int)
        and not isinstance(subject, bool)
        and -MAX_NUMBER <= subject <= MAX_NUMBER
    ):
        return subject
    raise Refused(Reason.SUBJECT)


def _read_groups(claims: dict[str, Any], rules: Rules) -> Patterns:
    if rules.groups_claim not in claims:
        return rules.default_groups
    groups = claims[rules.groups_claim]
    if not isinstance(groups, list):
        raise Refused(Reason.GROUPS)
    try:
        return Patterns(groups)
    except PatternError:
        raise Refused(Reason.GROUPS) from None


def _read_csrf_token(claims: dict[str, Any]) -> str | None:
    token = claims.get("csrf")
    if token is None:
        return None
    if isinstance(token, str) and 0 < len(token) <= MAX_TEXT and token.isprintable():
        return token
    raise Refused(Reason.CSRF)
