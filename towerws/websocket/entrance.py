"""What is asked of all who come to a listener, from the first moment to the begin of a session.

The limits come first, so that who comes too often costs as little as can be. Behind a trusted proxy
a client is known by its headers only, and counted when they are there; who comes without one is
counted as soon as the connection is there, whether it says anything or not.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime, ISSLTransport, ITransport
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper

from towerws.auth.errors import Unavailable
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IUser
from towerws.core.forwarding import parse_address
from towerws.core.limits import Excesses
from towerws.core.quota import QuotaError, Quotas, is_local
from towerws.core.revocation_log import RevocationLog
from towerws.core.roster import Roster
from towerws.core.throttle import Throttle
from towerws.network.proxy_header import HAProxyProtocolWrapper
from towerws.network.tls import peer_certificate
from towerws.websocket import handshake
from towerws.websocket.patience import ask

if TYPE_CHECKING:
    from towerws.factory import Settings
    from towerws.websocket.opening import OpeningProtocol

#: How often a client is authenticated at one handshake, if access of the user is revoked meanwhile.
ATTEMPTS = 2


class Entrance:
    """Applies limits, and finds out who it is.

    Attributes:
        roster: Who is connected, by user.
        throttle: Limits how often the same is logged of authentication schemes.
    """

    _log = Logger()

    def __init__(
        self,
        authenticator: handshake.Authenticator,
        settings: "Settings",
        excesses: Excesses,
        clock: IReactorTime,
    ) -> None:
        """Open.

        Args:
            authenticator: Finds out who it is.
            settings: The limits, among others.
            excesses: Are told of what goes over a limit.
            clock: Bounds what is waited for.
        """
        self.roster: Roster[OpeningProtocol] = Roster(settings.max_connections_per_user)
        self._revoked = RevocationLog()
        self._authenticator = authenticator
        self._settings = settings
        self._excesses = excesses
        self._clock = clock
        self.throttle = Throttle(clock.seconds)
        self._quotas = Quotas(
            settings.max_connections_per_address, settings.max_handshakes, clock.seconds
        )

    def arrive(self, visitor: "OpeningProtocol") -> None:
        """Count a connection that is there, unless only its headers will say who it comes from.

        Args:
            visitor: The connection, which has sent nothing so far.

        Raises:
            ConnectionDeny: There are too many of its address.
        """
        # What HAProxy writes ahead of everything is not there yet either.
        if not _waits_for_haproxy(visitor.transport):
            peer = self._peer(visitor.transport)
            self._count(visitor, peer, peer)

    def look_at(
        self, visitor: "OpeningProtocol", path: str, head: bytes, connections: int
    ) -> Handshake:
        """Apply the limits to a handshake, and check it.

        Args:
            visitor: The connection that it came by.
            path: The path that is asked for.
            head: The whole request.
            connections: How many there are, this one included.

        Returns:
            The handshake.

        Raises:
            ConnectionDeny: It is refused.
        """
        headers = handshake.read_headers(head)
        settings, peer = self._settings, self._peer(visitor.transport)
        address = settings.trusted_proxies.client_address(peer, headers.get("x-forwarded-for"))
        if visitor.seat is None:
            self._count(visitor, peer, address)
        if settings.max_connections and connections > settings.max_connections:
            self._excesses.note("connections", f"address {address or 'of a Unix socket'}")
            raise handshake.denied(
                HTTPStatus.SERVICE_UNAVAILABLE, "All connections of this server are taken."
            )
        shown = Handshake(
            path,
            address,
            headers,
            handshake.split_list(headers.get("sec-websocket-protocol", "")),
            peer_certificate(visitor.transport),
        )
        handshake.check(
            shown,
            settings.paths,
            settings.origins,
            scheme=self._scheme(visitor.transport, peer, headers.get("x-forwarded-proto")),
            guard_rebinding=settings.guard_rebinding,
        )
        return shown

    async def authenticate(self, visitor: "OpeningProtocol", shown: Handshake) -> IUser | None:
        """Find out who is behind a handshake, in bounded time.

        Args:
            visitor: The connection that it came by.
            shown: The handshake.

        Returns:
            The user, or None for somebody who could not be authenticated.

        Raises:
            ConnectionDeny: There is no answer, or the client has left.
        """
        deadline = self._clock.seconds() + handshake.AUTHENTICATION_TIMEOUT
        for _ in range(ATTEMPTS):
            revocations = self._revoked.count
            user = await self._ask(visitor, shown, deadline - self._clock.seconds())
            # The answer may be from before a revocation that came meanwhile, and did not find the
            # connection because nobody knew whose it was.
            if (
                user is None
                or user.user is None
                or not self._revoked.is_outdated(str(user.user), revocations)
            ):
                return user
        self._tell_unavailable("access of the user was revoked again and again")
        raise handshake.denied(
            HTTPStatus.SERVICE_UNAVAILABLE, "Access is being revoked at the moment."
        )

    def enter(self, visitor: "OpeningProtocol", user: int | str | None) -> None:
        """Count a connection whose user is known.

        Args:
            visitor: The connection.
            user: The user's id; None for an anonymous one, of whom there may be any number.

        Raises:
            ConnectionDeny: There are too many of this user.
        """
        if user is None:
            return
        if not self.roster.enter(str(user), visitor):
            self._excesses.note("connections_per_user", f"user {user}")
            raise handshake.denied(
                HTTPStatus.TOO_MANY_REQUESTS, "This user has too many connections."
            )
        visitor.member = str(user)

    def revoke(self, user: str) -> "tuple[OpeningProtocol, ...]":
        """Take note that a user may hear less, also where it is just being found out who it is.

        Args:
            user: The user's id as text.

        Returns:
            The user's connections.
        """
        self._revoked.add(user)
        return self.roster.connections_of(user)

    def leave(self, visitor: "OpeningProtocol") -> None:
        """Count a connection no more, and do not look for who it is: it is gone."""
        # Not the coroutine that waits for it: Twisted leaves reference cycles behind that.
        if visitor.asked is not None:
            visitor.asked.cancel()
        seat, visitor.seat = visitor.seat, None
        if seat is not None:
            self._quotas.leave(seat)
        member, visitor.member = visitor.member, None
        if member is not None:
            self.roster.leave(member, visitor)

    def _peer(self, transport: ITransport) -> str:
        # Unix sockets, and what else is on this machine, have no host.
        host: str = getattr(transport.getPeer(), "host", "")
        if host and parse_address(host) is None:
            # A PROXY header may have anything in it, which then would stand in the log.
            return "unknown"
        return self._settings.trusted_proxies.client_address(host, None)

    def _count(self, visitor: "OpeningProtocol", peer: str, address: str) -> None:
        # Proxies speak for many, and so may what runs on this machine. An address of this machine
        # in a header is no reason: who wrote it need not have been there.
        if self._settings.trusted_proxies.trusts(address) or (address == peer and is_local(peer)):
            return
        try:
            visitor.seat = self._quotas.enter(address)
        except QuotaError as error:
            self._excesses.note(error.limit, f"address {error.block}")
            raise handshake.denied(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many connections from this address."
                if error.limit == "connections_per_address"
                else "Too many connections a second from this address.",
            ) from None

    def _scheme(self, transport: ITransport, peer: str, forwarded: str | None) -> str | None:
        proxies = self._settings.trusted_proxies
        # TLS up to a proxy says nothing of what is in front of it.
        if ISSLTransport.providedBy(transport) and not proxies.trusts(peer):
            return "https"
        return proxies.scheme(peer, forwarded)

    async def _ask(
        self, visitor: "OpeningProtocol", shown: Handshake, seconds: float
    ) -> IUser | None:
        visitor.asked = ask(seconds, self._clock, self._authenticator.authenticate, shown)
        try:
            return await visitor.asked
        except (defer.TimeoutError, CancelledError) as error:
            # Else the client has left.
            if visitor.state == visitor.STATE_CONNECTING:
                self._tell_unavailable(
                    "the scheme gave up"
                    if isinstance(error, CancelledError)
                    else f"no answer came within {handshake.AUTHENTICATION_TIMEOUT} s"
                )
            raise handshake.denied(
                HTTPStatus.SERVICE_UNAVAILABLE, "Authentication took too long."
            ) from None
        except Unavailable as error:
            self._tell_unavailable(str(error))
            # If it was there at once its frames are a reference cycle, with the connection in it.
            error.__traceback__ = None
            raise handshake.denied(
                HTTPStatus.SERVICE_UNAVAILABLE, "Nobody can be authenticated at the moment."
            ) from None
        except Exception:  # noqa: BLE001  # authenticators are plugins; the client gets an answer
            self._log.failure("while authenticating a client")
            raise handshake.denied(
                HTTPStatus.INTERNAL_SERVER_ERROR, "Authentication failed by a fault of the server."
            ) from None
        finally:
            visitor.asked = None

    def _tell_unavailable(self, reason: str) -> None:
        self.throttle.log(
            self._log.warn,
            "unavailable",
            "a client cannot be authenticated: {reason}",
            reason=reason,
        )


def _waits_for_haproxy(transport: Any) -> bool:
    # It is below TLS, if there is TLS.
    while isinstance(transport, ProtocolWrapper):
        if isinstance(transport, HAProxyProtocolWrapper):
            return True
        transport = transport.transport
    return False
