"""What stands between a session and an identity that some authenticator gave.

Authenticators are plugins. Whatever one does in an access check, the session gets one answer in
bounded time, and nobody else notices.
"""

from collections.abc import Callable, Collection, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from towerws.core.groups import Group
from towerws.core.session import Identity

#: Seconds for an access check; then all groups it was about are refused. Many times what asking
#: a backend takes, and less than awxkit waits for the answer to a subscription (10 s).
ACCESS_TIMEOUT = 5.0


class GuardedIdentity:
    """An identity whose faults cost its own connection, and not whoever happens to call.

    A session asks for access also while the source tells it of a subscription: what a plugin
    raises there would come out in the middle of the source, and of other clients' affairs.

    Attributes:
        user: See `towerws.core.session.Identity`.
        csrf_token: See there.
    """

    __slots__ = ("_clock", "_deadline", "_guard", "_identity", "csrf_token", "user")

    _log = Logger()

    def __init__(
        self,
        identity: Identity,
        guard: Callable[[Callable[[], None]], None],
        clock: IReactorTime,
    ) -> None:
        """Stand for an identity.

        Args:
            identity: What the authenticator gave.
            guard: Runs a step of the session, and ends the connection if it fails.
            clock: Bounds the checks.
        """
        self.user = identity.user
        self.csrf_token = identity.csrf_token
        self._identity = identity
        self._guard = guard
        self._clock = clock
        self._deadline: IDelayedCall | None = None

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group]], None]
    ) -> None:
        """Find out which groups the user may not hear; see `towerws.core.session.Identity`."""
        waiting = [answer]

        def settle(denied: Collection[Group]) -> None:
            if waiting:
                first = waiting.pop()
                self.forget()
                self._guard(lambda: first(denied))

        self._guard(lambda: self._identity.check_access(groups, settle))
        if waiting:
            self._deadline = self._clock.callLater(ACCESS_TIMEOUT, self._refuse, groups, settle)

    def forget(self) -> None:
        """Wait no more: the check is over, or the client is gone."""
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def _refuse(self, groups: Sequence[Group], settle: Callable[[Collection[Group]], None]) -> None:
        self._log.warn("an access check took longer than {seconds} s", seconds=ACCESS_TIMEOUT)
        settle(groups)
