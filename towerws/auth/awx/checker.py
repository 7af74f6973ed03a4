"""Scheme ``awx``: an unmodified AWX or Ansible Tower says who somebody is and what they may see.

docs/authentication.md tells operators of it.
"""

from collections.abc import Collection, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from towerws.auth.awx.api import AwxApi, Viewer
from towerws.auth.awx.credentials import SESSION_COOKIES, read_credentials
from towerws.auth.awx.objects import DEFAULT_RULES, Rules, object_path
from towerws.auth.backend import Backend
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.auth.outcomes import Authentications
from towerws.core.groups import Group
from towerws.core.metrics import Metrics

#: Seconds for which an answer is used again, and a refusal. A page of AWX's interface opens several
#: connections, and a job's page is opened once.
KEEP, KEEP_REFUSED = 10.0, 2.0


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
        viewer = await self._api.up_to_date(self._viewer)
        if viewer is None:
            return groups
        self._viewer = viewer
        paths = {group: object_path(group.name) for group in groups}
        hidden = set(await self._api.hidden_from(viewer, filter(None, paths.values())))
        return [
            group
            for group, path in paths.items()
            if path in hidden
            or (path is None and not self._rules.allow(group.name, viewer.account))
        ]

    async def _renew(self) -> "AwxUser | None":
        viewer = await self._api.identify_anew(self._viewer)
        return None if viewer is None else AwxUser(self._api, self._rules, viewer)


@implementer(ICredentialsChecker, IAttached)
class AwxChecker:
    """The checker.

    Attributes:
        credentialInterfaces: What it checks.
        files: Empty: no file is read anew.
    """

    credentialInterfaces = (IHandshake,)
    files: Sequence[str] = ()

    def __init__(
        self,
        backend: Backend,
        *,
        rules: Rules = DEFAULT_RULES,
        session_cookies: Collection[str] = SESSION_COOKIES,
        keep: float = KEEP,
        keep_refused: float = KEEP_REFUSED,
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
        self._authentications = Authentications(metrics, "awx")

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
            raise UnauthorizedLogin("neither a session's cookie nor an Authorization header")
        viewer = await self._api.identify(credentials)
        if viewer is None:
            raise UnauthorizedLogin("AWX knows nobody by these credentials")
        return AwxUser(self._api, self._rules, viewer)
