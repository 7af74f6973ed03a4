"""The server: what listens and where events come from, started and stopped in order."""

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.amqp_bridge import AMQPBridge
from towerws.auth.portal import PortalAuthenticator
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.wire import CloseCode
from towerws.embedded import EmbeddedSource
from towerws.factory import ClientFactory
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.websocket.protocol import CLOSE_TIMEOUT

#: Seconds that clients which read slowly get for what waits for them, when all have been sent away:
#: for the default of `--max-outbox`, 1 MiB, that takes 2 Mbit/s. Whoever has not read it by then
#: comes back with ``since``, as after any loss.
FLUSH_WITHIN = 5.0

#: Seconds between two looks at whether the last client is gone: they are few, and a look is cheap.
_LOOK_EVERY = 0.02

_FAREWELL = (CloseCode.SERVICE_RESTART, "the server stops")


class Server(MultiService):
    """The running server: the event source, and the listeners in front of it.

    Attributes:
        source: Where events come from.
        clients: The factory of the websocket.
        authenticator: Finds out who connects.
        reloader: Has files read anew.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        source: EmbeddedSource | AMQPBridge,
        clients: ClientFactory,
        authenticator: PortalAuthenticator,
        listeners: list[Listener],
        *,
        reloader: Reloader,
        metrics: Metrics,
    ) -> None:
        """Put the parts together.

        Args:
            reactor: Measures the time that clients get to leave.
            source: Started first; stopped when there are no clients any more.
            clients: Whose connections are closed at the end.
            authenticator: Gets what it needs at the start.
            listeners: Those of the websocket.
            reloader: Runs until the source has stopped.
            metrics: Where the drain is shown; also for the authenticator.
        """
        super().__init__()
        self.clients = clients
        self.authenticator = authenticator
        self._metrics = metrics
        self._reactor = reactor
        self.source = source
        self._listeners = listeners
        self._sites: list[Listener] = []
        self.reloader = reloader
        self._closed: Deferred[Any] | None = None
        self._drained: Deferred[None] | None = None
        for service in (source, *listeners, reloader):
            service.setServiceParent(self)
        metrics.gauge(
            "towerws_draining",
            "1 while the server lets its clients go.",
            lambda: int(self._closed is not None),
        )

    def add_site(self, listener: Listener) -> None:
        """Listen for operators.

        Args:
            listener: The listener of their site, which is there until all else has ended.
        """
        self._sites.append(listener)
        listener.setServiceParent(self)

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """Publish an event; see `towerws.operations.publishing.Emitter`."""
        return self.source.emit(group, payload)

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """Take access away; see `towerws.operations.publishing.Emitter`."""
        return self.source.revoke(revocation)

    def unready(self) -> str | None:
        """Give the reason why no client should come here, None if all may.

        While it drains events flow all the same, and can be emitted.
        """
        return self.source.unready() if self._closed is None else "draining"

    def startService(self) -> None:
        """Start all parts; clients come when the reactor runs."""
        self.authenticator.attach(self._reactor, self._metrics)
        super().startService()

    def drain(self) -> Deferred[None]:
        """Take no new clients, and let those that are there go, spread over `Settings.drain`.

        `stopService` is to follow; if it comes before this has ended, it ends it.

        Returns:
            Fires when all are gone, or have had the time to read what waits for them. Does not
            fail.
        """
        self._refuse_clients()
        self._log.info("{count} clients are sent away", count=len(self.clients.crowd.connections))
        drained = self._drained = Deferred.fromCoroutine(self._drain())
        drained.addErrback(self._interrupted)
        return drained

    def stopService(self) -> Deferred[None]:
        """Stop in order: no new clients, then the present ones, then the source, then the site.

        A MultiService would stop all of them at once.

        Returns:
            Fires when all is done; clients get a few seconds to answer their Close.
        """
        self.running = 0
        if self._drained is not None:
            self._drained.cancel()
        return Deferred.fromCoroutine(self._stop())

    def _refuse_clients(self) -> Deferred[Any]:
        """Accept nobody any more. Sockets that others hold, such as systemd, stay open there."""
        if self._closed is None:
            self._closed = DeferredList([each.stopService() for each in self._listeners])
        return self._closed

    async def _drain(self) -> None:
        await self.clients.crowd.drain(self.clients.settings.drain, *_FAREWELL)
        await self._until_gone(FLUSH_WITHIN)

    async def _stop(self) -> None:
        await self._refuse_clients()
        await self.clients.crowd.close_all(*_FAREWELL)
        # Autobahn drops whoever has not answered within CLOSE_TIMEOUT; its timer has a grain.
        await self._until_gone(CLOSE_TIMEOUT + 1)
        await self.authenticator.detach()
        await self.source.drain()
        await self.source.stopService()
        ordered = (self.source, *self._listeners, *self._sites)
        others = (each for each in self if each not in ordered)
        await DeferredList([maybeDeferred(each.stopService) for each in others])
        await DeferredList([site.stopService() for site in self._sites])

    async def _until_gone(self, seconds: float) -> None:
        """Wait until there is no client any more, but not for longer."""
        deadline = self._reactor.seconds() + seconds
        while self.clients.crowd.connections and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, _LOOK_EVERY)

    def _interrupted(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("while clients were sent away", failure)
