"""Scheme ``awx``: an unmodified AWX or Ansible Tower says who somebody is and what they may see.

docs/authentication.md tells operators of it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import InvalidAuthArgumentString
from twisted.internet.defer import Deferred
from zope.interface import implementer

from towerws.auth.arguments import parse_arguments, read_patterns, read_seconds
from towerws.auth.awx.api import AwxApi, Viewer
from towerws.auth.awx.credentials import SESSION_COOKIES, read_credentials
from towerws.auth.awx.objects import DEFAULT_RULES, NO_GROUPS, Rules, object_path
from towerws.auth.backend import Backend
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.auth.outcomes import Authentications
from towerws.core.groups import Group
from towerws.core.metrics import Metrics

ARGUMENTS = "url=https://awx.example.org[,KEY=VALUE...]"

HELP = """
Asks an AWX or Ansible Tower, with the session's cookie or the Authorization header of the client,
who it is, and for each group of events whether it may see the job.

url             AWX's URL; with a path, if its API is not at /api/v2/ there
ca              a PEM file with the authorities to trust instead of the system's
timeout         seconds for a request to AWX (2.5)
cookie          the name of the session's cookie (sessionid and awx_sessionid)
status          who may hear jobs-status_changed and jobs-summary, which tell of every job:
                all, or auditors: superusers and system auditors (all)
groups          patterns of groups that are not AWX's, with + between them, for every user;
                others are refused
keep            seconds for which an answer of AWX is used again (10)
keep-refused    the same for refusals (2)
"""

_KNOWN = frozenset({"url", "ca", "timeout", "cookie", "status", "groups", "keep", "keep-refused"})

#: Where the API is if the URL does not say.
_API = "/api/v2/"
_WITHOUT_PATH = re.compile(r"[a-z]+://[^/?#]*/?", re.IGNORECASE)

#: Bytes of an answer. The largest part of a job is what its playbook left with ``set_stats``.
_MAX_BODY = 1 << 20

#: Seconds. A page of AWX's interface opens several connections, and a job's page is opened once.
_KEEP, _KEEP_REFUSED, _MAX_KEEP = 10.0, 2.0, 300.0

#: Seconds; a handshake is answered within 3, an access check within 5.
_TIMEOUT, _MAX_TIMEOUT = 2.5, 5.0

_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


@implementer(IUser)
class AwxUser:
    """A user of AWX, for as long as their connection lasts.

    Attributes:
        user: The primary key.
        csrf_token: What each frame's ``xrftoken`` must be; None to ask for nothing.
        expires: None: AWX does not tell when a session ends, and it is prolonged in use.
    """

    __slots__ = ("_api", "_rules", "_viewer", "csrf_token", "user")

    expires: float | None = None

    def __init__(self, api: AwxApi, rules: Rules, viewer: Viewer) -> None:
        """Stand for a user.

        Args:
            api: Asked for objects.
            rules: Decide the rest.
            viewer: Who it is.
        """
        self.user = viewer.account.id
        self.csrf_token = viewer.credentials.csrf_token
        self._api = api
        self._rules = rules
        self._viewer = viewer

    def denied(self, groups: Sequence[Group]) -> Deferred[Collection[Group]]:
        """Ask AWX for the groups' objects; see `towerws.auth.interfaces.IUser`."""
        return Deferred.fromCoroutine(self._denied(groups))

    def renew(self) -> "Deferred[AwxUser | None]":
        """Ask AWX who it is; see `towerws.auth.interfaces.IUser`."""
        return Deferred.fromCoroutine(self._renew())

    async def _denied(self, groups: Sequence[Group]) -> Collection[Group]:
        paths = {group: object_path(group.name) for group in groups}
        hidden = set(await self._api.hidden_from(self._viewer, filter(None, paths.values())))
        account = self._viewer.account
        return [
            group
            for group, path in paths.items()
            if path in hidden or (path is None and not self._rules.allow(group.name, account))
        ]

    async def _renew(self) -> "AwxUser | None":
        viewer = await self._api.identify_anew(self._viewer)
        return None if viewer is None else AwxUser(self._api, self._rules, viewer)


@implementer(ICredentialsChecker, IAttached)
class Awx:
    """The checker.

    Attributes:
        credentialInterfaces: What it checks.
        files: None that are read anew.
    """

    credentialInterfaces = (IHandshake,)
    files: Sequence[str] = ()

    def __init__(
        self,
        backend: Backend,
        *,
        rules: Rules = DEFAULT_RULES,
        session_cookies: Collection[str] = SESSION_COOKIES,
        keep: float = _KEEP,
        keep_refused: float = _KEEP_REFUSED,
    ) -> None:
        """Take the settings; nothing is connected yet.

        Args:
            backend: Asks; its URL is that of the API.
            rules: Who may hear groups that no object decides.
            session_cookies: Names of cookies, each sent on if it is there.
            keep: Seconds for which an answer is used again.
            keep_refused: The same for refusals.
        """
        self._backend = backend
        self._rules = rules
        self._session_cookies = session_cookies
        self._keep = keep
        self._keep_refused = keep_refused

    def attach(self, reactor: Any, metrics: Metrics) -> None:
        """Get ready to ask; see `towerws.auth.interfaces.IAttached`."""
        self._backend.attach(reactor)
        evictions = metrics.counter(
            "towerws_awx_evictions_total",
            "Answers of AWX that were forgotten early because there were too many.",
        )
        self._api = AwxApi(
            self._backend,
            reactor,
            evictions,
            keep=self._keep,
            keep_refused=self._keep_refused,
        )
        self._authentications = Authentications(metrics, "awx", reactor)

    def requestAvatarId(  # type: ignore[override]  # an IUser, as our portal wants it
        self, credentials: IHandshake
    ) -> Deferred[AwxUser]:
        """Ask AWX who it is.

        Args:
            credentials: The handshake.

        Returns:
            Fires with the user; fails with UnauthorizedLogin or Unavailable.
        """
        return self._authentications.count(Deferred.fromCoroutine(self._identify(credentials)))

    def forget(self, user: str) -> None:
        """Forget a user's answers; see `towerws.auth.interfaces.IAttached`."""
        self._api.forget(user)

    def reload(self) -> None:
        """Do nothing: no file is read anew; see `towerws.auth.interfaces.IAttached`."""

    def detach(self) -> Deferred[None]:
        """Ask no more; see `towerws.auth.interfaces.IAttached`."""
        self._api.clear()
        return self._backend.close()

    async def _identify(self, handshake: IHandshake) -> AwxUser:
        credentials = read_credentials(handshake, self._session_cookies)
        if credentials is None:
            raise UnauthorizedLogin("there is neither a session's cookie nor an Authorization")
        viewer = await self._api.identify(credentials)
        if viewer is None:
            raise UnauthorizedLogin("AWX knows nobody by these credentials")
        return AwxUser(self._api, self._rules, viewer)


def make_checker(argstring: str) -> Awx:
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
    cookie = arguments.get("cookie")
    if cookie is not None and not _COOKIE_NAME.fullmatch(cookie):
        raise InvalidAuthArgumentString("cookie is not the name of a cookie")
    return Awx(
        _backend(arguments),
        rules=_rules(arguments),
        session_cookies=SESSION_COOKIES if cookie is None else (cookie,),
        keep=read_seconds(arguments, "keep", _KEEP, 0, _MAX_KEEP),
        keep_refused=read_seconds(arguments, "keep-refused", _KEEP_REFUSED, 0, _MAX_KEEP),
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
    status = arguments.get("status", "all")
    if status not in {"all", "auditors"}:
        raise InvalidAuthArgumentString("status is neither all nor auditors")
    return Rules(status == "auditors", read_patterns(arguments, "groups") or NO_GROUPS)
