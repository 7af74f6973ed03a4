"""The arguments of a scheme on the command line: ``--auth NAME:key=value,key=value``."""

import math
import re
from collections.abc import Collection, Mapping

from twisted.cred.strcred import InvalidAuthArgumentString

from towerws.core.patterns import PatternError, Patterns

#: The commas that separate, and not those behind a backslash.
_SEPARATOR = re.compile(r"(?<!\\),")

#: RFC 6265, 4.1.1.
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


def parse_arguments(text: str, known: Collection[str]) -> dict[str, str]:
    """Take an argument string apart.

    Args:
        text: ``key=value,key=value``; a comma within a value has a backslash before it.
        known: The keys that may be.

    Returns:
        Values by key, no key without a value.

    Raises:
        InvalidAuthArgumentString: It is no such string, or has an unknown or repeated key; the text
            is one sentence, without the values.
    """
    arguments: dict[str, str] = {}
    for piece in _SEPARATOR.split(text) if text else []:
        key, equals, value = piece.replace("\\,", ",").partition("=")
        if not equals:
            # Not repeated: it may be a secret that somebody took for the argument.
            raise InvalidAuthArgumentString("an argument is not key=value; commas separate them")
        if key not in known:
            raise InvalidAuthArgumentString(f"{key!r} is not one of {', '.join(sorted(known))}")
        if not value:
            raise InvalidAuthArgumentString(f"{key} has no value")
        if key in arguments:
            raise InvalidAuthArgumentString(f"{key} is given twice")
        arguments[key] = value
    return arguments


def read_seconds(
    arguments: Mapping[str, str], key: str, default: float, least: float, most: float
) -> float:
    """Read a number of seconds.

    Args:
        arguments: As `parse_arguments` gives them.
        key: Which of them.
        default: If it is not there.
        least: The smallest that may be.
        most: The largest.

    Returns:
        The number.

    Raises:
        InvalidAuthArgumentString: It is none from ``least`` to ``most``; the text is one sentence.
    """
    text = arguments.get(key)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not least <= seconds <= most:
        raise InvalidAuthArgumentString(f"{key} is no number of seconds from {least:g} to {most:g}")
    return seconds


def read_patterns(arguments: Mapping[str, str], key: str) -> Patterns | None:
    """Read patterns of groups.

    Args:
        arguments: As `parse_arguments` gives them.
        key: Which of them.

    Returns:
        The patterns, which have ``+`` between them; None if there is no such argument.

    Raises:
        InvalidAuthArgumentString: They are none; the text is one sentence.
    """
    text = arguments.get(key)
    if text is None:
        return None
    try:
        return Patterns(text.split("+"))
    except PatternError as error:
        raise InvalidAuthArgumentString(f"{key}: {error}, with + between them") from None


def read_choice(arguments: Mapping[str, str], key: str, default: str, other: str) -> str:
    """Read one of two words.

    Args:
        arguments: As `parse_arguments` gives them.
        key: Which of them.
        default: The word if it is not there.
        other: The other one.

    Returns:
        The word.

    Raises:
        InvalidAuthArgumentString: It is neither; the text is one sentence.
    """
    word = arguments.get(key, default)
    if word not in {default, other}:
        raise InvalidAuthArgumentString(f"{key} is neither {default} nor {other}")
    return word


def read_cookie_name(arguments: Mapping[str, str], key: str) -> str | None:
    """Read the name of a cookie.

    Args:
        arguments: As `parse_arguments` gives them.
        key: Which of them.

    Returns:
        The name; None if there is no such argument.

    Raises:
        InvalidAuthArgumentString: No cookie can have it; the text is one sentence.
    """
    name = arguments.get(key)
    if name is not None and not _COOKIE_NAME.fullmatch(name):
        raise InvalidAuthArgumentString(f"{key} is not the name of a cookie")
    return name
