"""The arguments of ``--auth awx:...``."""

import re
from collections.abc import Mapping

from twisted.cred.strcred import InvalidAuthArgumentString

from towerws.auth.arguments import (
    parse_arguments,
    read_choice,
    read_cookie_name,
    read_patterns,
    read_seconds,
)
from towerws.auth.awx.checker import KEEP, KEEP_REFUSED, AwxChecker
from towerws.auth.awx.credentials import SESSION_COOKIES
from towerws.auth.awx.objects import NO_GROUPS, Rules
from towerws.auth.backend import Backend

#: Seconds. With more, the handshake would be answered without anybody knowing why.
_TIMEOUT, _MAX_TIMEOUT = 2.5, 2.5

#: Seconds for which an answer may be used again at most.
_MAX_KEEP = 300.0

ARGUMENTS = "url=https://awx.example.org[,KEY=VALUE...]"

HELP = f"""
Asks an AWX or Ansible Tower, with the session's cookie or the Authorization header of the client,
who it is, and for each group of events whether it may see the job.

url             AWX's URL; with a path, if its API is not at /api/v2/ there
ca              a PEM file with the authorities to trust instead of the system's
timeout         seconds for a request to AWX ({_TIMEOUT:g})
cookie          the name of the session's cookie (sessionid and awx_sessionid)
status          who may hear jobs-status_changed and jobs-summary, which tell of every job:
                all, or auditors: superusers and system auditors (all)
groups          patterns of groups that are not AWX's, with + between them, for every user;
                others are refused
keep            seconds for which an answer of AWX is used again ({KEEP:g})
keep-refused    the same for refusals ({KEEP_REFUSED:g})
"""

_KNOWN = frozenset({"url", "ca", "timeout", "cookie", "status", "groups", "keep", "keep-refused"})

#: Where the API is if the URL does not say.
_API = "/api/v2/"
_WITHOUT_PATH = re.compile(r"[a-z]+://[^/?#]*/?", re.IGNORECASE)

#: Bytes of an answer. The largest part of a job is what its playbook left with ``set_stats``.
_MAX_BODY = 1 << 20


def make_checker(argstring: str) -> AwxChecker:
    """Make the checker of ``--auth awx:...``.

    Args:
        argstring: As `ARGUMENTS` and `HELP` tell.

    Returns:
        The checker; nothing is connected yet.

    Raises:
        InvalidAuthArgumentString: It cannot be made; the text is one sentence.
    """
    arguments = parse_arguments(argstring, _KNOWN)
    if "url" not in arguments:
        raise InvalidAuthArgumentString("awx needs url=, such as url=https://awx.example.org")
    cookie = read_cookie_name(arguments, "cookie")
    return AwxChecker(
        _backend(arguments),
        rules=_rules(arguments),
        session_cookies=SESSION_COOKIES if cookie is None else (cookie,),
        keep=read_seconds(arguments, "keep", KEEP, 0, _MAX_KEEP),
        keep_refused=read_seconds(arguments, "keep-refused", KEEP_REFUSED, 0, _MAX_KEEP),
    )


def _backend(arguments: Mapping[str, str]) -> Backend:
    url = arguments["url"]
    if _WITHOUT_PATH.fullmatch(url):
        url = url.rstrip("/") + _API
    try:
        return Backend(
            url,
            timeout=read_seconds(arguments, "timeout", _TIMEOUT, 0.1, _MAX_TIMEOUT),
            max_body=_MAX_BODY,
            ca=arguments.get("ca"),
        )
    except ValueError as error:
        raise InvalidAuthArgumentString(str(error)) from None


def _rules(arguments: Mapping[str, str]) -> Rules:
    status = read_choice(arguments, "status", "all", "auditors")
    return Rules(status == "auditors", read_patterns(arguments, "groups") or NO_GROUPS)
