"""Asking AWX who somebody is and what they may see, no more often than necessary."""

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime

from towerws.auth.awx.credentials import Credentials
from towerws.auth.awx.objects import Account, read_account
from towerws.auth.backend import Backend
from towerws.auth.cache import SingleFlight
from towerws.auth.errors import Unavailable
from towerws.core.metrics import Counter
from towerws.core.revocation_log import RevocationLog

#: Sessions whose user is remembered, and objects for all of them. More are asked for anew.
MAX_ACCOUNTS = 10_000
MAX_OBJECTS = 50_000

#: Questions of one user at once, however many connections and groups they have: as many as a
#: browser asks at once, and few enough to leave AWX's workers to others.
AT_ONCE = 8

#: AWX prolongs a session with every request but those that nobody asked for, which say so (its
#: ``SessionTimeoutMiddleware``). Looking again must not keep anybody logged in.
_HEADERS = {"Accept": "application/json", "X-WS-Session-Quiet": "true"}

_NOT_SHOWN = frozenset({401, 403})
_NOT_VISIBLE = frozenset({401, 403, 404})


class _Seen(NamedTuple):
    user: int
    visible: bool


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks at objects.

    Attributes:
        credentials: What they have shown.
        account: Who AWX says they are.
        revocations: How many there had been of anybody when AWX said so.
        epoch: Answers are shared within one: 0 for those who have just come.
    """

    credentials: Credentials
    account: Account
    revocations: int
    epoch: int = 0


class AwxApi:
    """What AWX says, some of it remembered for some seconds."""

    def __init__(
        self,
        backend: Backend,
        clock: IReactorTime,
        evictions: Counter,
        *,
        keep: float,
        keep_refused: float,
    ) -> None:
        """Begin with nothing asked.

        Args:
            backend: Asks; its URL is that of the API, such as ``https://awx.example.org/api/v2/``.
            clock: Tells when an answer is too old.
            evictions: Counts answers that are forgotten before their time.
            keep: For how many seconds an answer is remembered that lets somebody in; 0 for none.
            keep_refused: And one that does not.
        """
        self._backend = backend
        self._keep = keep
        self._keep_refused = keep_refused
        self._accounts: SingleFlight[Account | None] = SingleFlight(
            clock, max_entries=MAX_ACCOUNTS, evictions=evictions
        )
        self._objects: SingleFlight[_Seen] = SingleFlight(
            clock, max_entries=MAX_OBJECTS, evictions=evictions
        )
        self._turns: WeakValueDictionary[int, DeferredSemaphore] = WeakValueDictionary()
        self._epochs = itertools.count(1)
        # Users hold what was said of them, too: this tells of whom that is from before.
        self._revoked = RevocationLog()

    async def identify(self, credentials: Credentials) -> Viewer | None:
        """Find out who somebody is.

        Args:
            credentials: What they have shown.

        Returns:
            Who it is; None if AWX knows nobody by these credentials.

        Raises:
            Unavailable: AWX does not say.
        """
        account = await self._accounts.get(
            credentials.key, lambda: self._ask_account(credentials), self._account_lifetime
        )
        return None if account is None else Viewer(credentials, account, self._revoked.count)

    async def identify_anew(self, viewer: Viewer) -> Viewer | None:
        """Find out whether somebody still is who they were.

        Args:
            viewer: Who they were.

        Returns:
            Who they are, for whom no object's answer is remembered; None if it is nobody, or
            somebody else.

        Raises:
            Unavailable: AWX does not say.
        """
        credentials = viewer.credentials
        account = await self._accounts.refresh(
            credentials.key, lambda: self._ask_account(credentials), self._account_lifetime
        )
        if account is None or account.id != viewer.account.id:
            return None
        return Viewer(credentials, account, self._revoked.count, next(self._epochs))

    async def up_to_date(self, viewer: Viewer) -> Viewer | None:
        """Find out who somebody is, unless that is known from after the last revocation.

        Args:
            viewer: Who they were.

        Returns:
            Who they are, to be asked about next time; None if AWX does not know them any more.

        Raises:
            Unavailable: AWX does not say.
        """
        if not self._revoked.is_outdated(str(viewer.account.id), viewer.revocations):
            return viewer
        found = await self.identify(viewer.credentials)
        if found is None or found.account.id != viewer.account.id:
            return None
        return replace(found, epoch=viewer.epoch)

    async def hidden_from(self, viewer: Viewer, paths: Iterable[str]) -> Collection[str]:
        """Find out which objects somebody may not see.

        Cancelling asks for nothing more; the answers that have come are remembered.

        Args:
            viewer: Who.
            paths: Of the objects, as `towerws.auth.awx.objects.object_path` gives them.

        Returns:
            Those of them that are hidden, or are not there.

        Raises:
            Unavailable: AWX does not say of one of them.
        """
        waiting = iter(paths)

        async def look() -> list[str]:
            return [path for path in waiting if not (await self._look_at(viewer, path)).visible]

        looking = [Deferred.fromCoroutine(look()) for _ in range(AT_ONCE)]
        try:
            hidden = await gatherResults(looking, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        finally:
            for each in looking:
                each.cancel()
        return list(itertools.chain.from_iterable(hidden))

    def forget(self, user: str) -> None:
        """Remember nothing of a user.

        Args:
            user: The id as text.
        """
        self._revoked.add(user)
        self._accounts.discard(lambda account: account is not None and str(account.id) == user)
        self._objects.discard(lambda seen: str(seen.user) == user)

    def clear(self) -> None:
        """Remember nothing."""
        self._accounts.clear()
        self._objects.clear()

    def _look_at(self, viewer: Viewer, path: str) -> Deferred[_Seen]:
        key = (viewer.credentials.key, viewer.epoch, path)
        return self._objects.get(
            key,
            lambda: self._ask_object(viewer, path),
            lambda seen: self._keep if seen.visible else self._keep_refused,
        )

    async def _ask_account(self, credentials: Credentials) -> Account | None:
        reply = await self._backend.get("me/", _HEADERS | dict(credentials.headers))
        if reply.status in _NOT_SHOWN:
            return None
        if reply.status != 200:
            raise Unavailable(f"AWX answers {reply.status} when asked who somebody is")
        try:
            return read_account(reply.json())
        except ValueError as error:
            raise Unavailable(str(error)) from None

    async def _ask_object(self, viewer: Viewer, path: str) -> _Seen:
        user = viewer.account.id
        turns = self._turns.setdefault(user, DeferredSemaphore(AT_ONCE))
        async with turns:
            headers = _HEADERS | dict(viewer.credentials.headers)
            reply = await self._backend.get(path, headers)
        if reply.status != 200 and reply.status not in _NOT_VISIBLE:
            raise Unavailable(f"AWX answers {reply.status} when asked for an object")
        return _Seen(user, reply.status == 200)

    def _account_lifetime(self, account: Account | None) -> float:
        return self._keep_refused if account is None else self._keep
