"""What stands between a session and a user that some authentication scheme gave.

Schemes are plugins. Whatever one does, the session gets one answer in bounded time, and nobody else
notices.
"""

from collections.abc import Callable, Collection, Sequence
from time import time
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.auth.errors import Unavailable
from towerws.auth.interfaces import IUser
from towerws.core.groups import Group
from towerws.core.throttle import Throttle
from towerws.websocket.patience import ask

#: Seconds for an access check; then all groups it was about are refused. Many times what asking
#: a backend takes, and less than awxkit waits for the answer to a subscription (10 s).
ACCESS_TIMEOUT = 5.0

#: In place of an answer that could not be found out.
_UNKNOWN = object()


class GuardedIdentity:
    """A user whose faults cost its own connection, and not whoever happens to call.

    A session asks for access also while the source tells it of a subscription: what a plugin
    raises there would come out in the middle of the source, and of other clients' affairs.

    Attributes:
        user: See `towerws.core.identity.Identity`.
        csrf_token: See there; that of the handshake, also if the user is renewed.
    """

    __slots__ = (
        "_clock", "_guard", "_known", "_pending", "_throttle", "_unix_time", "csrf_token", "user",
    )  # fmt: skip

    _log = Logger()

    def __init__(
        self,
        known: IUser,
        guard: Callable[[Callable[[], None]], None],
        clock: IReactorTime,
        throttle: Throttle,
        unix_time: Callable[[], float] = time,
    ) -> None:
        """Stand for a user.

        Args:
            known: What the scheme gave.
            guard: Runs a step of the session, and ends the connection if it fails.
            clock: Bounds the checks.
            throttle: Limits how often it is logged that they cannot be made; shared by all users.
            unix_time: Tells the time by which credentials expire.
        """
        self.user: int | str | None = known.user
        self.csrf_token: str | None = known.csrf_token
        self._known = known
        self._guard = guard
        self._clock = clock
        self._throttle = throttle
        self._unix_time = unix_time
        # A renewal and an access check at most; none most of the time.
        self._pending: tuple[Deferred[Any], ...] = ()

    @property
    def expires(self) -> float | None:
        """When the credentials hold no more; see `towerws.core.identity.Identity`."""
        if self._known.expires is None:
            return None
        return float(self._clock.seconds() + (self._known.expires - self._unix_time()))

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group] | None], None]
    ) -> None:
        """Find out which groups the user may not hear; see `towerws.core.identity.Identity`."""
        self._ask(
            lambda: self._known.denied(groups),
            lambda denied: answer(None if denied is _UNKNOWN else denied),
        )

    def renew(self, answer: Callable[[bool], None]) -> None:
        """Find out whether the credentials still hold; see `towerws.core.identity.Identity`."""
        self._ask(self._known.renew, lambda known: answer(self._is_renewed(known)))

    def forget(self) -> None:
        """Wait no more: the client is gone."""
        pending, self._pending = self._pending, ()
        for waiting in pending:
            waiting.cancel()

    def _is_renewed(self, known: Any) -> bool:
        if known is _UNKNOWN:
            return True
        if known is None or str(known.user) != str(self.user):
            return False
        self._known = known
        return True

    def _ask(self, question: Callable[[], object], answer: Callable[[Any], None]) -> None:
        asked = ask(ACCESS_TIMEOUT, self._clock, question)
        self._pending += (asked,)
        asked.addBoth(self._settle, asked, answer)

    def _settle(self, result: Any, asked: Deferred[Any], answer: Callable[[Any], None]) -> None:
        if asked not in self._pending:
            # It was cancelled: the client is gone.
            return
        self._pending = tuple(each for each in self._pending if each is not asked)
        if not isinstance(result, Failure):
            self._guard(lambda: answer(result))
        elif result.check(CancelledError, defer.TimeoutError, Unavailable):
            self._throttle.log(
                self._log.warn,
                "unknown",
                "what user {user!r} may hear cannot be found out: {reason}",
                user=self.user,
                reason=result.getErrorMessage()
                if result.check(Unavailable)
                else f"no answer came within {ACCESS_TIMEOUT} s",
            )
            self._guard(lambda: answer(_UNKNOWN))
        else:
            self._guard(result.raiseException)
