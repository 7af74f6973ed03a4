"""The scheme ``jwt``: a token that an issuer has signed says who the client is.

Nobody is asked at a handshake: whoever has the key finds out alone. So a token cannot be withdrawn
before it expires, but for the key it is signed with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Protocol

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from towerws.auth.errors import Unavailable
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IAttached, IHandshake, IUser
from towerws.auth.jwt.claims import Rules, read_claims
from towerws.auth.jwt.keys import Key, KeySet
from towerws.auth.jwt.tokens import Reason, Refused, Token, find_token, parse_token, verify
from towerws.auth.outcomes import Authentications
from towerws.auth.users import User
from towerws.core.metrics import Metrics
from towerws.core.throttle import Throttle


class KeySource(Protocol):
    """Where the keys are; what `towerws.auth.interfaces.IAttached` has as well is as there."""

    @property
    def files(self) -> Sequence[str]:
        """Paths of the files that have been read."""

    def current(self) -> KeySet:
        """Give the keys that are good now.

        Raises:
            Unavailable: They are not known.
        """

    def look_again(self) -> Deferred[None] | None:
        """See whether there are newer ones.

        Returns:
            Fires when that is done, within a bounded time, and never fails; None if there is
            nothing to wait for.
        """

    def attach(self, reactor: Any, metrics: Metrics) -> None:
        """Take what the server has."""

    def reload(self) -> bool | None:
        """Read files anew, or whatever is like that; False if it cannot be done."""

    def detach(self) -> Deferred[None] | None:
        """Let go of everything."""


@implementer(IUser)
@dataclass(frozen=True, slots=True)
class TokenUser(User):
    """The user of a token.

    The token itself is not kept: as long as its key is good and its time has not come, it would
    be found right again.

    Attributes:
        key: What the token was signed with.
        keys: Those that are good.
    """

    key: Key = field(kw_only=True, repr=False)
    keys: KeySource = field(kw_only=True, repr=False, compare=False)

    def renew(self) -> User | None:
        """Hold until the token expires or its key is withdrawn; see `IUser`."""
        return User.renew(self) if self.key in self.keys.current() else None


@implementer(ICredentialsChecker, IAttached)
class JWTChecker:
    """Knows clients by their tokens.

    Attributes:
        files: See `towerws.auth.interfaces.IAttached`.
    """

    credentialInterfaces = (IHandshake,)
    _log = Logger()

    def __init__(
        self,
        keys: KeySource,
        rules: Rules,
        *,
        cookie: str | None = None,
        seconds: Callable[[], float] = time,
    ) -> None:
        """Take what tokens are measured by.

        Args:
            keys: What they may be signed with.
            rules: What they must say.
            cookie: The name of a cookie that may have one; None for no cookie.
            seconds: Tells the Unix time.
        """
        self.files = keys.files
        self._keys = keys
        self._rules = rules
        self._cookie = cookie
        self._seconds = seconds

    def requestAvatarId(  # type: ignore[override]  # of an IUser, not of its id
        self, credentials: Handshake
    ) -> Deferred[TokenUser]:
        """Find out whose token it is; see `ICredentialsChecker`.

        Args:
            credentials: The handshake.

        Returns:
            The user; fails with `UnauthorizedLogin`, or `Unavailable` if there are no keys.
        """
        return self._authentications.count(Deferred.fromCoroutine(self._authenticate(credentials)))

    def attach(self, reactor: Any, metrics: Metrics) -> None:
        """Take what the server has; see `towerws.auth.interfaces.IAttached`."""
        self._throttle = Throttle(reactor.seconds)
        self._authentications = Authentications(metrics, "jwt")
        self._keys.attach(reactor, metrics)

    def forget(self, user: str) -> None:
        """Remember nothing of users; see `towerws.auth.interfaces.IAttached`."""

    def reload(self) -> bool | None:
        """Read the key file anew; see `towerws.auth.interfaces.IAttached`."""
        return self._keys.reload()

    def detach(self) -> Deferred[None] | None:
        """Let go of the keys; see `towerws.auth.interfaces.IAttached`."""
        return self._keys.detach()

    async def _authenticate(self, handshake: Handshake) -> TokenUser:
        try:
            text, in_cookie = find_token(handshake, self._cookie)
            # First what takes no key: it may be for another scheme, and there may be no keys.
            payload, key = await self._verify(parse_token(text))
            claims = read_claims(payload, self._rules, self._seconds())
        except Refused as refused:
            self._refuse(refused.reason)
            raise UnauthorizedLogin(f"the token is refused: {refused.reason}") from None
        return TokenUser(
            user=claims.user,
            groups=claims.groups,
            # Only a cookie is sent along without the page knowing the token.
            csrf_token=claims.csrf_token if in_cookie else None,
            expires=claims.expires,
            seconds=self._seconds,
            key=key,
            keys=self._keys,
        )

    async def _verify(self, token: Token) -> tuple[bytes, Key]:
        try:
            return verify(token, self._keys.current())
        except (Refused, Unavailable):
            # Newer keys may help, or the first ones.
            looking = self._keys.look_again()
            if looking is None:
                raise
        await looking
        return verify(token, self._keys.current())

    def _refuse(self, reason: Reason) -> None:
        if reason is Reason.MISSING:
            # Such a client has not tried; it may be known to another scheme.
            self._log.debug("there is no token in a handshake")
            return
        self._throttle.log(self._log.warn, reason, "refused a token: {reason}", reason=reason.value)
