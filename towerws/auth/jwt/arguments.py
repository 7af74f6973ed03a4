"""The arguments of ``--auth jwt:...``."""

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.cred.strcred import InvalidAuthArgumentString

from towerws.auth.arguments import (
    parse_arguments,
    read_choice,
    read_cookie_name,
    read_patterns,
    read_seconds,
)
from towerws.auth.jwt import jwks
from towerws.auth.jwt.checker import JWTChecker
from towerws.auth.jwt.claims import DEFAULT_GROUPS_CLAIM, DEFAULT_LEEWAY, NOTHING, Rules
from towerws.auth.jwt.jwks import RemoteKeys
from towerws.auth.jwt.keyfile import FileKeys
from towerws.auth.jwt.keys import ALGORITHMS, ASYMMETRIC

ARGUMENTS = (
    "{key=FILE|jwks=URL}[,algorithms=NAME+NAME][,audience=NAME][,issuer=NAME][,cookie=NAME]"
    "[,groups=PATTERN+PATTERN][,groups-claim=NAME][,leeway=SECONDS][,expiry={required|optional}]"
    "[,refresh=SECONDS][,keep=SECONDS][,timeout=SECONDS][,ca=FILE]"
)

HELP = f"""\
Clients show a JSON Web Token (RFC 7519) that an issuer has signed: as "Authorization: Bearer", as
the subprotocol "bearer.TOKEN", or in a cookie. Its claim "sub" is the user, "exp" the end, and
"groups" the list of groups that may be heard, such as ["jobs-*", "job_events-42"].

key           a file with a secret (one line, 32 characters or more), with public keys in PEM
              (RSA, EC, Ed25519), or with a JWK set; read again when it changes
jwks          the URL of a JWK set, https:// or on this machine
algorithms    which ones may be used; all that the keys are good for, if not given
audience      must be in the token's "aud"; if not given, a token that has an "aud" is refused
issuer        must be the token's "iss"; not looked at if not given
cookie        the name of a cookie that may have the token; none if not given
groups        what may be heard with a token that has no such claim; nothing if not given
groups-claim  the name of the claim with the groups; "{DEFAULT_GROUPS_CLAIM}" if not given
leeway        seconds by which clocks may differ, 0 to 300; {DEFAULT_LEEWAY:g} if not given
expiry        optional to allow tokens that do not say when they expire
refresh       seconds from one fetch of the JWK set to the next; {jwks.DEFAULT_REFRESH:g} if not
              given
keep          seconds for which keys are good after they were fetched last; {jwks.DEFAULT_KEEP:g} if
              not given
timeout       seconds for a fetch; {jwks.DEFAULT_TIMEOUT:g} if not given
ca            a PEM file with the authorities that the URL's certificate must come from

A comma within a value has a backslash before it. See docs/authentication.md.
"""

_COMMON = frozenset(
    {
        "algorithms",
        "audience",
        "issuer",
        "cookie",
        "groups",
        "groups-claim",
        "leeway",
        "expiry",
    }
)
_OF_JWKS = frozenset({"refresh", "keep", "timeout", "ca"})

#: Smallest and largest seconds of each. More leeway than five minutes keeps tokens alive; a
#: scheme has 2.75 s for a handshake; a set that is fetched more often than every ten is a load.
_LEEWAY = 0.0, 300.0
_REFRESH = jwks.COOLDOWN, 86400.0
_KEEP = jwks.COOLDOWN, 604800.0
_TIMEOUT = 0.1, 2.4


@dataclass(frozen=True, slots=True)
class Settings:
    """What the arguments come to.

    Attributes:
        keys: Where the keys are.
        rules: What tokens must say.
        cookie: The name of the cookie that may have one, or None.
    """

    keys: FileKeys | RemoteKeys
    rules: Rules
    cookie: str | None


def read_arguments(text: str) -> Settings:
    """Read the arguments, and the key file if one is named.

    Args:
        text: What stands behind ``jwt:``.

    Returns:
        The settings.

    Raises:
        InvalidAuthArgumentString: Something is wrong; the text is one sentence without secrets.
    """
    arguments = parse_arguments(text, {"key", "jwks"} | _COMMON | _OF_JWKS)
    try:
        keys, rules = _read_keys(arguments), _read_rules(arguments)
    except ValueError as error:
        raise InvalidAuthArgumentString(str(error)) from None
    return Settings(keys, rules, read_cookie_name(arguments, "cookie"))


def make_checker(arguments: str) -> JWTChecker:
    """Make the checker of ``--auth jwt:ARGUMENTS``.

    Args:
        arguments: See `ARGUMENTS`.

    Returns:
        The checker; a key file has been read, and nothing fetched.

    Raises:
        InvalidAuthArgumentString: The arguments or the key file are not usable; in one sentence.
    """
    settings = read_arguments(arguments)
    return JWTChecker(settings.keys, settings.rules, cookie=settings.cookie)


def _read_keys(arguments: Mapping[str, str]) -> FileKeys | RemoteKeys:
    allowed = frozenset(
        arguments["algorithms"].split("+") if "algorithms" in arguments else ALGORITHMS
    )
    if not allowed <= ALGORITHMS:
        raise ValueError(
            f"algorithms is not made of {', '.join(sorted(ALGORITHMS))}, with + between"
        )
    if ("key" in arguments) == ("jwks" in arguments):
        raise ValueError("give either key=FILE or jwks=URL")
    if "key" in arguments:
        misplaced = _OF_JWKS & set(arguments)
        if misplaced:
            raise ValueError(f"{min(misplaced)} is for jwks")
        return FileKeys(arguments["key"], allowed)
    if not allowed & ASYMMETRIC:
        raise ValueError("a JWK set from a URL has no secrets, and algorithms has nothing else")
    refresh = read_seconds(arguments, "refresh", jwks.DEFAULT_REFRESH, *_REFRESH)
    keep = read_seconds(arguments, "keep", jwks.DEFAULT_KEEP, *_KEEP)
    if keep < refresh:
        raise ValueError("keep is less than refresh: keys would be gone before the next come")
    timeout = read_seconds(arguments, "timeout", jwks.DEFAULT_TIMEOUT, *_TIMEOUT)
    backend = jwks.make_backend(arguments["jwks"], timeout=timeout, ca=arguments.get("ca"))
    return RemoteKeys(backend, allowed, refresh=refresh, keep=keep)


def _read_rules(arguments: Mapping[str, str]) -> Rules:
    return Rules(
        audience=arguments.get("audience"),
        issuer=arguments.get("issuer"),
        leeway=read_seconds(arguments, "leeway", DEFAULT_LEEWAY, *_LEEWAY),
        must_expire=read_choice(arguments, "expiry", "required", "optional") == "required",
        groups_claim=arguments.get("groups-claim", DEFAULT_GROUPS_CLAIM),
        default_groups=read_patterns(arguments, "groups") or NOTHING,
    )
