"""Payloads as JSON, written exactly as Django's ``DjangoJSONEncoder`` writes them.

Facts: ``django/core/serializers/json.py`` and ``django/utils/duration.py`` of Django 5.2. What is
different on purpose: ``NaN`` and infinities, for which JSON has no form and Django writes one that
no browser parses, are refused.
"""

import datetime
import decimal
import json
import sys
import uuid

from towerws.notify.errors import PayloadError

#: The longest reason that an error repeats, in characters.
_MAX_REASON = 200


def encode(payload: object) -> bytes:
    """Write a payload as JSON.

    Args:
        payload: A dictionary of what `json` writes, dates, times, timedeltas, Decimals, UUIDs and
            Django's lazy texts.

    Returns:
        ASCII, with ``", "`` and ``": "`` as separators; keys in the dictionary's order.

    Raises:
        PayloadError: It is not a dictionary, or something in it has no form in JSON.
    """
    if not isinstance(payload, dict):
        raise PayloadError(f"the payload is not a dictionary but of type {type(payload).__name__}")
    try:
        return _encode(payload).encode("ascii")
    except (TypeError, ValueError) as error:
        # json's texts name types and never content: "Object of type set is not JSON serializable".
        reason = str(error)[:_MAX_REASON]
        raise PayloadError(f"the payload cannot be written as JSON: {reason}") from error
    except RecursionError:
        # The chained error would hold a thousand frames, and with them the payload.
        raise PayloadError("the payload is nested too deeply") from None


def _default(value: object) -> str:
    try:
        text = _text(value)
    except (PayloadError, RecursionError):
        raise
    except Exception as error:
        # A lazy text, or a time zone, runs the application's code, which may raise anything: an
        # error of the database, say. Its words may hold content.
        raise PayloadError(
            f"a value of type {type(value).__name__} in the payload raised {type(error).__name__}"
        ) from error
    if text is None:
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return text


def _text(value: object) -> str | None:
    """Write a value of a type that JSON has no form for; ``None`` if nor has Django."""
    match value:
        case datetime.datetime():
            return _datetime(value)
        case datetime.date():
            return value.isoformat()
        case datetime.time():
            return _time(value)
        case datetime.timedelta():
            return _duration(value)
        case decimal.Decimal() | uuid.UUID():
            return str(value)
    return str(value) if _is_lazy_text(value) else None


_encode = json.JSONEncoder(allow_nan=False, default=_default).encode


def _datetime(value: datetime.datetime) -> str:
    text = value.isoformat()
    if value.microsecond:
        # ECMA-262 has milliseconds: cut "2026-01-02T03:04:05.678901" behind the third digit.
        text = text[:23] + text[26:]
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _time(value: datetime.time) -> str:
    if value.utcoffset() is not None:
        raise PayloadError("a time of day in the payload is timezone-aware: JSON has no such thing")
    text = value.isoformat()
    return text[:12] if value.microsecond else text


def _duration(value: datetime.timedelta) -> str:
    sign = ""
    if value < datetime.timedelta():
        sign, value = "-", -value
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06d}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{hours:02d}H{minutes:02d}M{seconds:02d}{fraction}S"


def _is_lazy_text(value: object) -> bool:
    # A lazy text can exist only where Django has been imported: there is no need to import it here.
    functional = sys.modules.get("django.utils.functional")
    return functional is not None and isinstance(value, functional.Promise)
