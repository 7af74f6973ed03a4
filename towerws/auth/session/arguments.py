"""The arguments of ``--auth session:...``."""

from twisted.cred.strcred import InvalidAuthArgumentString

from towerws.auth.arguments import parse_arguments, read_patterns, read_seconds
from towerws.auth.backend import Backend
from towerws.auth.session.checker import KEEP, KEEP_REFUSED, SessionChecker

#: Seconds. With more, the handshake would be answered without anybody knowing why.
_TIMEOUT, _MAX_TIMEOUT = 2.5, 2.5

#: Seconds for which an answer may be used again at most.
_MAX_KEEP = 300.0

ARGUMENTS = "url=https://app.example.org/towerws/session/[,KEY=VALUE...]"

HELP = f"""
Asks your application who a client is and what they may hear: makes a GET request for a URL with
the client's Cookie and Authorization headers, and reads the JSON that comes back.

url             what to ask
ca              a PEM file with the authorities to trust instead of the system's
timeout         seconds for a request ({_TIMEOUT:g})
groups          patterns of groups, with + between them, for those of whom the answer does
                not tell any; without it, every answer must
keep            seconds for which an answer is used again ({KEEP:g})
keep-refused    the same if nobody was found ({KEEP_REFUSED:g})
"""

_KNOWN = frozenset({"url", "ca", "timeout", "groups", "keep", "keep-refused"})


def make_checker(argstring: str) -> SessionChecker:
    """Make the checker of ``--auth session:...``.

    Args:
        argstring: As `ARGUMENTS` and `HELP` tell.

    Returns:
        The checker; nothing is connected yet.

    Raises:
        InvalidAuthArgumentString: It cannot be made; the text is one sentence.
    """
    arguments = parse_arguments(argstring, _KNOWN)
    if "url" not in arguments:
        raise InvalidAuthArgumentString(
            "session needs url=, such as url=https://app.example.org/towerws/session/"
        )
    timeout = read_seconds(arguments, "timeout", _TIMEOUT, 0.1, _MAX_TIMEOUT)
    try:
        backend = Backend(arguments["url"], timeout=timeout, ca=arguments.get("ca"))
    except ValueError as error:
        raise InvalidAuthArgumentString(str(error)) from None
    return SessionChecker(
        backend,
        groups=read_patterns(arguments, "groups"),
        keep=read_seconds(arguments, "keep", KEEP, 0, _MAX_KEEP),
        keep_refused=read_seconds(arguments, "keep-refused", KEEP_REFUSED, 0, _MAX_KEEP),
    )
