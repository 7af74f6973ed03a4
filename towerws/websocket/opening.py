"""The opening handshake of one client: Autobahn's protocol until it is open."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, ISSLTransport, ITransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IUser
from towerws.core.quota import Seat
from towerws.websocket import handshake
from towerws.websocket.compression import negotiable
from towerws.websocket.lean import LeanServerProtocol
from towerws.websocket.profiles import choose

if TYPE_CHECKING:
    from towerws.factory import ClientFactory


#: Refusals of which `towerws.websocket.entrance` has logged who it was, or what was away.
_LOGGED = frozenset({HTTPStatus.TOO_MANY_REQUESTS.value, HTTPStatus.SERVICE_UNAVAILABLE.value})


class IStreamTransport(ITransport, IConsumer):
    """What Twisted's stream transports are."""


class OpeningProtocol(LeanServerProtocol):
    """A websocket that has to be let in.

    Attributes:
        user: Who was let in; None for somebody who could not be authenticated.
        seat: Where it is counted by address, if it is.
        member: The user's id as text, once it is counted by user.
        asked: Will tell who it is, while that is being found out.
    """

    factory: "ClientFactory"
    transport: IStreamTransport

    __slots__ = ("asked", "member", "seat", "user")

    def __init__(self) -> None:
        """Make a protocol for one connection."""
        super().__init__()
        self.user: IUser | None = None
        self.seat: Seat | None = None
        self.member: str | None = None
        self.asked: Deferred[IUser | None] | None = None

    def connectionMade(self) -> None:
        """Take a connection, unless there are too many from there."""
        super().connectionMade()
        try:
            self.factory.entrance.arrive(self)
        except ConnectionDeny as refusal:
            if ISSLTransport.providedBy(self.transport):
                # An answer would take a handshake of TLS, which costs more than all else.
                self.dropConnection(abort=True)
            else:
                self.failHandshake(str(refusal.reason), refusal.code)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client.

        Args:
            data: As they came.
        """
        if self.state == self.STATE_CONNECTING:
            if len(self.data) + len(data) > handshake.MAX_BYTES:
                self.failHandshake(
                    "The request is too large.", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                )
                return
            if self.asked is not None:
                # Autobahn would look for a second request in what comes before the first one is
                # answered; once it has been, Autobahn goes on with what is left here.
                self.data += data
                return
        super().dataReceived(data)

    def processHandshake(self) -> None:  # noqa: N802  # Autobahn's name
        """Look at a request, unless it has more headers than anybody needs."""
        end = self.data.find(b"\r\n\r\n")
        # Counted as Autobahn does, which joins those of the same name in quadratic time.
        lines = self.data[: max(end, 0)].decode("iso-8859-1").splitlines()
        if len(lines) > handshake.MAX_HEADERS:
            self.failHandshake(
                "The request has too many headers.", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            )
        else:
            super().processHandshake()

    def onConnect(  # type: ignore[override]  # Autobahn takes a Deferred of what it declares
        self, request: ConnectionRequest
    ) -> "Deferred[str | None]":
        """Decide on a handshake that Autobahn found to be correct.

        Args:
            request: The handshake.

        Returns:
            Fires with the subprotocol to let the client in, and fails with `ConnectionDeny` to
            refuse it.

        Raises:
            ConnectionDeny: The same.
        """
        shown = self.factory.entrance.look_at(
            self, request.path, self.http_request_data, self.factory.countConnections
        )
        return Deferred.fromCoroutine(self._enter(shown, choose(request.protocols)))

    async def _enter(self, shown: Handshake, subprotocol: str | None) -> str | None:
        entrance = self.factory.entrance
        user = await entrance.authenticate(self, shown)
        if self.state != self.STATE_CONNECTING:
            # The client left meanwhile. Autobahn would open the connection all the same, and
            # never close it again.
            raise handshake.denied(HTTPStatus.REQUEST_TIMEOUT, "The client is gone.")
        if user is not None:
            entrance.enter(self, user.user)
        self.user = user
        return subprotocol

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the handshake, if it was not over.

        Args:
            reason: Why, for Autobahn.
        """
        super().connectionLost(reason)
        self.factory.entrance.leave(self)

    def failHandshake(  # noqa: N802  # Autobahn's name
        self,
        reason: str,
        code: int = HTTPStatus.BAD_REQUEST.value,
        responseHeaders: list[tuple[str, str]] | None = None,
    ) -> None:
        """Refuse a handshake, and have Autobahn log why, unless that is said already.

        Args:
            reason: One sentence.
            code: The HTTP status.
            responseHeaders: More headers.
        """
        reason = handshake.without_quotes(HTTPStatus(code), reason)
        if code in _LOGGED:
            self.wasNotCleanReason = reason
            self.sendHttpErrorResponse(code, reason, responseHeaders)
            self.dropConnection(abort=False)
        else:
            super().failHandshake(reason, code, responseHeaders)

    def sendHttpErrorResponse(
        self, code: int, reason: str, responseHeaders: list[tuple[str, str]] | None = None
    ) -> None:
        """Answer a handshake that is refused.

        Args:
            code: The HTTP status.
            reason: One sentence.
            responseHeaders: More headers.
        """
        if self.state != self.STATE_CONNECTING:
            return
        status = HTTPStatus(code)
        if status is HTTPStatus.UPGRADE_REQUIRED:
            status, reason = handshake.plain_request_refusal(
                self.http_request_path, self.factory.settings.paths
            )
        self.factory.refused(status)
        self.sendData(handshake.render_refusal(status, reason, responseHeaders or ()))

    def _parseExtensionsHeader(  # noqa: N802  # Autobahn's name
        self,
        header: str,
        removeQuotes: bool = True,  # noqa: N803
    ) -> list[tuple[str, dict[str, Any]]]:
        return negotiable(super()._parseExtensionsHeader(header, removeQuotes))
