"""Whether a ``Host`` header is one that no stranger's DNS can have led here: DNS rebinding.

A page of ``http://evil.example`` may have its name point at 127.0.0.1 a second later. For the
browser the page and what listens here are then one origin, and it may send requests and read the
answers. What gives it away is the ``Host`` header, which bears the page's name; an address, or a
name that never leaves this machine, cannot be made to point elsewhere.
"""

import re
from ipaddress import IPv4Address, IPv6Address

#: RFC 9110, section 7.2: a host and perhaps a port. No user, no percent-encoding, no zone.
_HOST = re.compile(
    r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,255}?)\.?)(?::[0-9]{0,5})?",
    re.ASCII | re.IGNORECASE,
)


def is_host(host_header: str) -> bool:
    """Tell whether a ``Host`` header is one.

    Args:
        host_header: The value of the ``Host`` header.
    """
    return _HOST.fullmatch(host_header.strip(" \t")) is not None


def is_local_host(host_header: str) -> bool:
    """Tell whether a request was addressed to an IP address or to a name of this machine.

    Args:
        host_header: The value of the ``Host`` header.

    Returns:
        True for ``localhost``, names below it (RFC 6761, section 6.3) and literal addresses, with
        or without a port; False for any other name, and for what is no host at all.
    """
    found = _HOST.fullmatch(host_header.strip(" \t"))
    if found is None:
        return False
    bracketed, name = found[1], found[2] and found[2].lower()
    try:
        if bracketed is not None:
            IPv6Address(bracketed)
            return True
        if name == "localhost" or name.endswith(".localhost"):
            return ".." not in name and not name.startswith(".")
        IPv4Address(name)
    except ValueError:
        return False
    return True
