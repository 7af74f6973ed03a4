"""Stand-ins for the seams between authentication schemes and the server."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from zope.interface import implementer

from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.core.groups import Group


@implementer(IUser)
class FakeUser:
    """A user whose questions are answered as the test says.

    Attributes:
        user: See `towerws.auth.interfaces.IUser`.
        csrf_token: See there.
        expires: See there.
    """

    csrf_token: str | None = None
    expires: float | None = None

    def __init__(
        self,
        denied: Callable[[Sequence[Group]], Any] = lambda groups: (),
        renewed: Callable[[], Any] | None = None,
        *,
        user: object = 7,
    ) -> None:
        """Answer with functions.

        Args:
            denied: Answers an access check; by default everything may be heard.
            renewed: Answers a renewal; None for the same user.
            user: The id.
        """
        self.user = user
        self._denied = denied
        self._renewed = renewed

    def denied(self, groups: Sequence[Group]) -> Any:
        """See `towerws.auth.interfaces.IUser`."""
        return self._denied(groups)

    def renew(self) -> Any:
        """See `towerws.auth.interfaces.IUser`."""
        return self if self._renewed is None else self._renewed()


@implementer(ICredentialsChecker)
class FakeChecker:
    """A checker that answers as the test says.

    Attributes:
        credentialInterfaces: See `ICredentialsChecker`.
        asked: What it was shown, in order.
    """

    credentialInterfaces = (IHandshake,)

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        """Answer with a function.

        Args:
            answer: Gets what is shown; its result is the checker's.
        """
        self.asked: list[object] = []
        self._answer = answer

    def requestAvatarId(self, credentials: object) -> Any:
        """See `ICredentialsChecker`."""
        self.asked.append(credentials)
        return self._answer(credentials)


@implementer(IAttached)
class FakeAttachedChecker(FakeChecker):
    """A checker that takes note of what the server does with it.

    Attributes:
        files: See `IAttached`.
        calls: The name of each call, with its arguments if it has any.
        detached: What `detach` answers with.
    """

    files: Sequence[str] = ("/etc/key",)

    def __init__(self, answer: Callable[[Any], Any] = lambda credentials: None) -> None:
        """Answer with a function; see `FakeChecker`."""
        super().__init__(answer)
        self.calls: list[object] = []
        self.detached: Deferred[None] = Deferred()
        self.reloaded: bool | None = None

    def attach(self, reactor: object, metrics: object) -> None:
        """See `IAttached`."""
        self.calls.append(("attach", reactor, metrics))

    def forget(self, user: str) -> None:
        """See `IAttached`."""
        self.calls.append(("forget", user))

    def reload(self) -> bool | None:
        """See `IAttached`."""
        self.calls.append("reload")
        return self.reloaded

    def detach(self) -> Deferred[None]:
        """See `IAttached`."""
        self.calls.append("detach")
        return self.detached
