"""The site: which resources it has, and the bound on what a request may hold in memory."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from towerws.core.metrics import Metrics
from towerws.core.revocation import MAX_REVOCATION
from towerws.core.throttle import Throttle
from towerws.operations.admission import (
    BoundedBody,
    Refusal,
    require_json,
    require_local_host,
    require_program,
    require_token,
)
from towerws.operations.answers import Refused
from towerws.operations.channel import Channel
from towerws.operations.probes import Health, MetricsPage, NotFound, Ready
from towerws.operations.publishing import Emit, Emitter, Revoke

#: Seconds without traffic after which a connection to the site is closed.
IDLE_TIMEOUT = 60

#: Connections at a time. A publisher keeps one for each of its processes.
MAX_CONNECTIONS = 500

#: What load balancers and orchestrators ask, who have no token: it tells them yes or no.
_PROBES = ([b"health"], [b"ready"])


class OperationsSite(Site):
    """The site: nothing of it is for web pages, and what is not a probe asks for the token.

    Attributes:
        max_event: The largest payload, in bytes.
        connections: How many there are.
    """

    protocol = Channel  # type: ignore[assignment]  # Twisted's would speak HTTP/2 as well

    _log = Logger()

    def __init__(
        self,
        emitter: Emitter,
        metrics: Metrics,
        *,
        token: str | None,
        max_event: int,
        render: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """Set up the site.

        Args:
            emitter: Takes what is emitted and revoked.
            metrics: Where requests are counted, and what ``/metrics`` shows.
            token: What callers must send as ``Authorization: Bearer``; None asks for nothing.
            max_event: The largest payload, in bytes.
            render: Called for the page of ``/metrics`` where more is to be shown than ``metrics``;
                answers within a bounded time.
        """
        root = NotFound()
        root.putChild(b"emit", Emit(emitter, metrics, max_event))
        root.putChild(b"revoke", Revoke(emitter, metrics, min(max_event, MAX_REVOCATION)))
        root.putChild(b"health", Health())
        root.putChild(b"ready", Ready(emitter, token))
        root.putChild(b"metrics", MetricsPage(metrics, render))
        super().__init__(root, requestFactory=_BoundedRequest, timeout=IDLE_TIMEOUT)
        self.displayTracebacks = False
        self.noisy = False
        self.max_event = max_event
        self.connections = 0
        self._token = token
        self._throttle = Throttle(lambda: float(self.reactor.seconds()))
        self._refused = {
            reason: metrics.counter(
                "towerws_operations_refused_total",
                "Requests to the operators' site that were refused for who sent them, by reason.",
                reason=reason,
            )
            for reason in ("connections", "host", "origin", "token")
        }

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, unless there are too many; see `twisted.web.server.Site`."""
        if self.connections >= MAX_CONNECTIONS:
            self._note("connections", addr, f"There are {MAX_CONNECTIONS} connections.")
            return None
        return super().buildProtocol(addr)

    def check(self, request: Request) -> None:
        """Refuse whoever may not ask for anything here.

        Args:
            request: Of which the headers are there.

        Raises:
            Refusal: It comes from a web page, or from somebody without the token.
        """
        require_program(request.requestHeaders)
        # Pages do not know the token, and browsers connect to no Unix socket.
        if self._token is None and not isinstance(request.getHost(), UNIXAddress):
            require_local_host(request.requestHeaders)
        require_token(request.requestHeaders, self._token)

    def getResourceFor(self, request: Request) -> IResource:
        """Find what a request asks for; see `twisted.web.server.Site`."""
        try:
            self.check(request)
        except Refusal as refusal:
            if refusal.reason != "token" or (request.postpath or [])[:1] not in _PROBES:
                self._note(refusal.reason, request.getClientAddress(), refusal.sentence)
                return Refused(refusal)
        found: IResource = super().getResourceFor(request)
        return found

    def acceptableProtocols(self) -> list[bytes]:
        """Name what is spoken over TLS; see `twisted.web.server.Site`."""
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """Log no requests: emits are as frequent as events."""

    def _note(self, reason: str | None, client: IAddress | None, sentence: str) -> None:
        assert reason is not None, "each of the checks gives its reason"
        self._refused[reason].add()
        held_back = self._throttle.permit(reason)
        if held_back is not None:
            self._log.warn(
                "refused a request of {client} to the operators' site: {sentence}{and_more}",
                client=getattr(client, "host", "a local program"),
                sentence=sentence,
                and_more=f" ({held_back} such lines held back)" if held_back else "",
            )


class _BoundedRequest(Request):
    """A request of whose body only so much is kept as may be needed.

    Of one that is refused for its headers nothing is: it must cost no memory, and no time of
    Twisted's, which parses forms whoever sends them.
    """

    def gotLength(self, length: int | None) -> None:
        site = cast(OperationsSite, self.channel.site)  # type: ignore[attr-defined]  # set later
        try:
            site.check(self)
            require_json(self.requestHeaders)
        except Refusal:
            self.content = BoundedBody(0)
        else:
            # One byte more shows that it is too large.
            self.content = BoundedBody(site.max_event + 1)
