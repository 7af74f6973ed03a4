"""Which web pages may open a websocket here: the check of the ``Origin`` header.

A browser sends its cookies along with a websocket that any page opens, and names the page's origin
(RFC 6454); a server that does not look lends its users' sessions to every site they visit. Programs
that are not browsers send no ``Origin`` and are not concerned.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}

#: As an allowed origin: any page at all.
ANY = "*"


def normalize(origin: str) -> str:
    """Bring an origin that an operator typed into the form that browsers send.

    Args:
        origin: ``https://awx.example.org``, ``null`` or ``*``.

    Returns:
        The origin in lower case and without the scheme's default port.

    Raises:
        ValueError: It is not an origin; the text is one sentence.
    """
    if origin in (ANY, "null"):
        return origin
    parts = _split(origin)
    if parts is None:
        raise ValueError(f"{origin!r} is not an origin such as https://awx.example.org")
    scheme, host, port = parts
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port == _DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{shown_host}{shown_port}"


def is_named(origin: str, allowed: Collection[str]) -> bool:
    """Tell whether the operator has allowed an origin.

    Args:
        origin: The value of the ``Origin`` header.
        allowed: Origins from `normalize`.
    """
    if not allowed:
        return False
    if ANY in allowed or origin in allowed:
        return True
    return _split(origin) is not None and normalize(origin) in allowed


def is_own(origin: str, host: str, scheme: str | None = None) -> bool:
    """Tell whether a page was served from the host that it connects to.

    Args:
        origin: The value of the ``Origin`` header.
        host: The value of the ``Host`` header.
        scheme: By which pages of that host are served, ``http`` or ``https``; None if that is not
            known, because a proxy in front may end TLS.
    """
    parts = _split(origin)
    if parts is None or scheme not in (None, parts[0]):
        return False
    # A Host without a port stands for the default port of the page's own scheme.
    return _split(f"{parts[0]}://{host}") == parts


def _split(origin: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.path or parts.query or parts.fragment:
        return None
    if port is None:
        port = _DEFAULT_PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname, port
