"""What the values of options may be: functions that make a value of a text, or say why not."""

import os
from collections.abc import Callable
from typing import Any

from twisted.python import usage

#: Far more than there are processors to run them.
MAX_WORKERS = 256

#: What AMQP 0-9-1 gives the name of an exchange (a shortstr), in bytes.
MAX_EXCHANGE_NAME = 255

#: The largest number that any option takes, where nothing else bounds it.
MAX_NUMBER = 1 << 31


def between(low: int, high: int) -> Callable[[str], int]:
    """Accept whole numbers.

    Args:
        low: The lowest.
        high: The highest.

    Returns:
        What makes a number of a text; raises ValueError.
    """

    def coerce(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return coerce


def workers(text: str) -> int:
    """Accept a number of workers, or ``auto``.

    Args:
        text: The option's value.

    Returns:
        How many; for ``auto`` one for each processor that may be used.

    Raises:
        ValueError: It is neither.
    """
    if text == "auto":
        return min(len(os.sched_getaffinity(0)), MAX_WORKERS)
    try:
        return between(1, MAX_WORKERS)(text)
    except ValueError as error:
        raise ValueError(f"{error}, nor 'auto'") from None


def one_of(*choices: str) -> Callable[[str], str]:
    """Accept some words.

    Args:
        *choices: The words.

    Returns:
        What gives the text back; raises ValueError for any other.
    """

    def coerce(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not {' or '.join(choices)}")
        return text

    return coerce


def exchange(text: str) -> str:
    """Accept the name of an exchange.

    Args:
        text: The option's value.

    Returns:
        The same.

    Raises:
        ValueError: AMQP has no such names.
    """
    if not 0 < len(text.encode()) <= MAX_EXCHANGE_NAME:
        raise ValueError(f"the name has to have from 1 to {MAX_EXCHANGE_NAME} bytes")
    return text


def token(text: str, where: str) -> str:
    """Accept a bearer token.

    Args:
        text: What was found.
        where: And where, for messages.

    Returns:
        The token; secrets often come with a line end, which no header can carry.

    Raises:
        twisted.python.usage.UsageError: It cannot be one; the text does not repeat it.
    """
    stripped = text.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise usage.UsageError(f"{where}: a token has printable ASCII characters and no spaces")
    return stripped


def named(option: str, coerce: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let a message tell which option it is about; Twisted's own words do not.

    Args:
        option: Its name.
        coerce: Makes a value of a text, or raises ValueError.

    Returns:
        The same, raising `twisted.python.usage.UsageError`.
    """

    def coerce_named(text: str) -> Any:
        try:
            return coerce(text)
        except ValueError as error:
            raise usage.UsageError(f"--{option}: {error}") from None

    return coerce_named
