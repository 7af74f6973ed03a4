"""From the checkers of ``--auth`` to the one question that is asked at a handshake."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.credentials import Anonymous, IAnonymous, ICredentials
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IAttached, IUser
from towerws.auth.users import User
from towerws.core.metrics import Metrics

#: Whoever comes where no questions are asked.
NOBODY = User(None)


@implementer(IRealm)
class Realm:
    """What checkers answer with is the user; only the anonymous one is made here."""

    def requestAvatar(
        self,
        avatarId: object,  # noqa: N803  # Twisted's name
        mind: object,
        *interfaces: type[Interface],
    ) -> tuple[type[Interface], IUser, Callable[[], None]]:
        """Give the user; see `twisted.cred.portal.IRealm`.

        Raises:
            TypeError: A checker answered with something else; its text says what.
        """
        user = NOBODY if avatarId is ANONYMOUS else avatarId
        if not IUser.providedBy(user):
            raise TypeError(f"a checker answered with a {type(user).__name__}, which is no IUser")
        return IUser, user, _log_out


class PortalAuthenticator:
    """Asks checkers in turn; see `towerws.websocket.handshake.Authenticator`.

    Attributes:
        files: Those of the checkers; when one changes, `reload` is to be called.
    """

    _log = Logger()

    def __init__(self, checkers: Iterable[Any]) -> None:
        """Begin with nothing asked.

        Args:
            checkers: Each an `twisted.cred.checkers.ICredentialsChecker` for
                `towerws.auth.interfaces.IHandshake` or for the anonymous.
        """
        self._checkers = tuple(checkers)
        # A portal takes one checker of a kind, and here the order counts.
        self._portals = [
            (Portal(Realm(), [checker]), IAnonymous in checker.credentialInterfaces)
            for checker in self._checkers
        ]
        self._attached: list[IAttached] = [
            checker for checker in self._checkers if IAttached.providedBy(checker)
        ]

    @property
    def is_anonymous(self) -> bool:
        """Whether it lets everybody in, at least when nobody else knows them."""
        return any(is_anonymous for _, is_anonymous in self._portals)

    @property
    def files(self) -> Sequence[str]:
        """The files that checkers have read."""
        return [file for checker in self._attached for file in checker.files]

    def authenticate(self, handshake: Handshake) -> Deferred[IUser | None]:
        """Find out who it is; see `towerws.websocket.handshake.Authenticator`.

        Args:
            handshake: What the client has shown.

        Returns:
            Fires with the user of the first checker that knows one, None if none does; fails with
            `towerws.auth.errors.Unavailable` if a checker cannot find out.
        """
        return Deferred.fromCoroutine(self._authenticate(handshake))

    def attach(self, reactor: IReactorTime, metrics: Metrics) -> None:
        """Give the checkers what they need; see `towerws.auth.interfaces.IAttached`."""
        for checker in self._attached:
            checker.attach(reactor, metrics)

    def forget(self, user: str) -> None:
        """Let checkers forget a user; see `towerws.auth.interfaces.IAttached`."""
        self._tell_all(lambda checker: checker.forget(user))

    def reload(self) -> bool:
        """Have files read anew; False if one could not be: see `towerws.reloading.Reloadable`."""
        return self._tell_all(lambda checker: checker.reload())

    def detach(self) -> Deferred[None]:
        """Stop; see `towerws.auth.interfaces.IAttached`."""
        detaching = [maybeDeferred(checker.detach) for checker in self._attached]
        return gatherResults(detaching, consumeErrors=True).addCallback(lambda _: None)

    def _tell_all(self, tell: Callable[[IAttached], object]) -> bool:
        done = True
        for checker in self._attached:
            try:
                done = tell(checker) is not False and done
            except Exception:  # noqa: BLE001  # a fault of one must not keep the others from it
                self._log.failure("in an authentication scheme")
                done = False
        return done

    async def _authenticate(self, handshake: Handshake) -> IUser | None:
        for portal, is_anonymous in self._portals:
            credentials: ICredentials = Anonymous() if is_anonymous else handshake
            login = portal.login(credentials, None, IUser)
            # Not by an exception: awaiting one that is there at once leaves a reference cycle, with
            # the handshake in it.
            user = await login.addCallbacks(_take_avatar, _take_nobody)
            if user is not None:
                return user
        return None


def _take_avatar(result: tuple[object, IUser, object]) -> IUser:
    return result[1]


def _take_nobody(reason: Failure) -> None:
    reason.trap(UnauthorizedLogin)


def _log_out() -> None:
    pass
