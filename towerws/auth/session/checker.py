"""Scheme ``session``: the backend says who a client is and what they may hear, over HTTP.

docs/authentication.md has the contract, and a backend's side of it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any
from weakref import WeakValueDictionary

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from towerws.auth.backend import Backend
from towerws.auth.cache import SingleFlight, digest
from towerws.auth.errors import Unavailable
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.auth.outcomes import Authentications
from towerws.auth.session.answer import Answer, read_answer
from towerws.core.groups import Group
from towerws.core.metrics import Metrics
from towerws.core.patterns import Patterns
from towerws.core.revocation_log import RevocationLog

#: Sessions whose answer is remembered. Others are asked for anew.
MAX_ANSWERS = 10_000

#: Characters of the two headers. No web server takes more by default: nginx, Apache and gunicorn
#: 8 KiB a header, Node.js 16 KiB for all. They are kept for as long as the connection is.
MAX_CREDENTIALS = 1 << 14

#: Seconds for which an answer is used again, and a refusal. A page that opens several connections,
#: or reconnects, asks once; and whoever logs out can open no new connection a few seconds later.
KEEP, KEEP_REFUSED = 10.0, 2.0

#: Not logged in, not allowed, a detour by a page to log in at (one that moved for good is the
#: operator's mistake), and headers that are too long for the backend.
_REFUSALS = frozenset({401, 403, 302, 303, 307, 431})


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Credentials:
    """What the backend is asked with."""

    key: bytes = field(repr=False)
    cookie: str = field(repr=False)
    authorization: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that there are."""
        both = {"Cookie": self.cookie, "Authorization": self.authorization}
        return {name: value for name, value in both.items() if value}


class _Source:
    """The backend, and what it has said of late."""

    def __init__(
        self,
        backend: Backend,
        answers: SingleFlight[Answer | None],
        read: Callable[[Any], Answer | None],
        lifetime: Callable[[Answer | None], float],
    ) -> None:
        self.answers = answers
        # Users hold answers, too: this tells whose are from before a revocation.
        self.revoked = RevocationLog()
        self._backend = backend
        self._read = read
        self._lifetime = lifetime
        # Those of connections that are there; all of one session share them.
        self._credentials: WeakValueDictionary[bytes, _Credentials] = WeakValueDictionary()

    def shared(self, cookie: str, authorization: str) -> _Credentials:
        """Find the credentials if somebody connected holds the same, or make them."""
        key = digest(cookie, authorization)
        return self._credentials.setdefault(key, _Credentials(key, cookie, authorization))

    async def find(self, credentials: _Credentials, *, anew: bool) -> "SessionUser | None":
        """Find out who it is; with `anew`, whatever was said before."""
        look_up = self.answers.refresh if anew else self.answers.get
        answer = await look_up(credentials.key, lambda: self._ask(credentials), self._lifetime)
        return None if answer is None else SessionUser(self, credentials, answer)

    async def _ask(self, credentials: _Credentials) -> Answer | None:
        reply = await self._backend.get("", credentials.headers)
        if reply.status in _REFUSALS:
            return None
        if reply.status != 200:
            raise Unavailable(f"{self._backend.url} answers with status {reply.status}")
        try:
            return self._read(reply.json())
        except ValueError as error:
            raise Unavailable(f"what {self._backend.url} answers {error}") from None


@implementer(IUser)
class SessionUser:
    """A user of the backend.

    Attributes:
        user: The id.
        csrf_token: What each frame's ``xrftoken`` must be; None to ask for nothing.
        expires: Unix time in seconds at which the session ends; None if it is not known.
    """

    __slots__ = ("_answer", "_credentials", "_revocations", "_source")

    def __init__(self, source: _Source, credentials: _Credentials, answer: Answer) -> None:
        """Stand for a user; what is given is shared by all connections of the session."""
        self._source = source
        self._credentials = credentials
        self._answer = answer
        self._revocations = source.revoked.count

    @property
    def user(self) -> int | str:
        """See the class."""
        return self._answer.user

    @property
    def csrf_token(self) -> str | None:
        """See the class."""
        return self._answer.csrf_token

    @property
    def expires(self) -> float | None:
        """See the class."""
        return self._answer.expires

    def denied(self, groups: Sequence[Group]) -> Deferred[Collection[Group]]:
        """Refuse what the answer does not name; see `towerws.auth.interfaces.IUser`."""
        return Deferred.fromCoroutine(self._denied(groups))

    def renew(self) -> "Deferred[SessionUser | None]":
        """Ask the backend again; see `towerws.auth.interfaces.IUser`."""
        return Deferred.fromCoroutine(self._find(anew=True))

    async def _denied(self, groups: Sequence[Group]) -> Collection[Group]:
        if self._source.revoked.is_outdated(str(self.user), self._revocations):
            # A client may ask before it is looked at again, and that may fail.
            found = await self._find(anew=False)
            if found is None:
                return groups
            # Not to be asked for once more for the same revocation.
            self._answer, self._revocations = found._answer, found._revocations  # noqa: SLF001  # it is one of us
        return [group for group in groups if group.name not in self._answer.groups]

    async def _find(self, *, anew: bool) -> "SessionUser | None":
        found = await self._source.find(self._credentials, anew=anew)
        return found if found is not None and found.user == self.user else None


@implementer(ICredentialsChecker, IAttached)
class SessionChecker:
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
        groups: Patterns | None = None,
        keep: float = KEEP,
        keep_refused: float = KEEP_REFUSED,
        seconds: Callable[[], float] = time,
    ) -> None:
        """Take the settings; nothing is connected yet.

        Args:
            backend: Asks; its URL is the one to ask for.
            groups: What those may hear of whom the backend does not say it; None if it must.
            keep: Seconds for which an answer is used again.
            keep_refused: The same for refusals.
            seconds: Tells the Unix time.
        """
        self._backend = backend
        self._groups = groups
        self._keep = keep
        self._keep_refused = keep_refused
        self._seconds = seconds

    def attach(self, reactor: Any, metrics: Metrics) -> None:
        """Get ready to ask; see `towerws.auth.interfaces.IAttached`."""
        self._backend.attach(reactor)
        evictions = metrics.counter(
            "towerws_session_evictions_total",
            "Answers of --auth session that were forgotten early because there were too many.",
        )
        answers: SingleFlight[Answer | None] = SingleFlight(
            reactor, max_entries=MAX_ANSWERS, evictions=evictions
        )
        self._source = _Source(self._backend, answers, self._read, self._lifetime)
        self._authentications = Authentications(metrics, "session")

    def requestAvatarId(  # type: ignore[override]  # an IUser, as our portal wants it
        self, credentials: IHandshake
    ) -> Deferred[SessionUser]:
        """Ask the backend who it is.

        Args:
            credentials: The handshake.

        Returns:
            Fires with the user; fails with UnauthorizedLogin or Unavailable.
        """
        return self._authentications.count(Deferred.fromCoroutine(self._identify(credentials)))

    def forget(self, user: str) -> None:
        """Forget what was said of a user; see `towerws.auth.interfaces.IAttached`."""
        self._source.revoked.add(user)
        self._source.answers.discard(lambda said: said is not None and str(said.user) == user)

    def reload(self) -> None:
        """Do nothing: no file is read anew; see `towerws.auth.interfaces.IAttached`."""

    def detach(self) -> Deferred[None]:
        """Ask no more; see `towerws.auth.interfaces.IAttached`."""
        self._source.answers.clear()
        return self._backend.close()

    async def _identify(self, handshake: IHandshake) -> SessionUser:
        cookie, authorization = (
            handshake.headers.get(name, "").strip() for name in ("cookie", "authorization")
        )
        if not cookie and not authorization:
            raise UnauthorizedLogin("neither a cookie nor an Authorization header")
        if len(cookie) + len(authorization) > MAX_CREDENTIALS:
            raise UnauthorizedLogin("cookies and Authorization are longer than can be kept")
        user = await self._source.find(self._source.shared(cookie, authorization), anew=False)
        if user is None:
            raise UnauthorizedLogin("the backend knows nobody by these headers")
        return user

    def _read(self, said: Any) -> Answer | None:
        return read_answer(said, self._groups, self._seconds())

    def _lifetime(self, answer: Answer | None) -> float:
        if answer is None:
            return self._keep_refused
        if answer.expires is None:
            return self._keep
        return min(self._keep, answer.expires - self._seconds())
