"""The ``Cookie`` header, read as the backends that set the cookies read it."""

import re
from collections.abc import Mapping

_ESCAPE = re.compile(r"\\(?:([0-3][0-7]{2})|(.))")


def parse_cookies(header: str) -> Mapping[str, str]:
    """Take a ``Cookie`` header apart.

    As Django does, and so AWX (``django.http.cookie.parse_cookie``): split at semicolons, strip,
    unquote. `http.cookies.SimpleCookie` would refuse the whole header for one odd cookie of some
    other application.

    Args:
        header: The value of the header, such as ``awx_sessionid="abc";csrftoken=def``.

    Returns:
        Values by name; of two cookies with the same name the last one counts, as in Django.
    """
    cookies = {}
    for piece in header.split(";"):
        name, separator, value = piece.partition("=")
        if not separator:
            # A value without a name is what Django takes it for.
            name, value = "", name
        name, value = name.strip(), value.strip()
        if name or value:
            cookies[name] = _unquote(value)
    return cookies


def _unquote(value: str) -> str:
    # What `http.cookies` does, whose own takes quadratic time in older Pythons (CVE-2024-7592).
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPE.sub(lambda found: found[2] or chr(int(found[1], 8)), value[1:-1])
