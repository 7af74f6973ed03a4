"""The server: what listens and where events come from, started and stopped in order."""

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from towerws.amqp_bridge import AMQPBridge
from towerws.auth.portal import PortalAuthenticator
from towerws.core.metrics import Metrics
from towerws.core.wire import CloseCode
from towerws.embedded import EmbeddedSource
from towerws.factory import ClientFactory
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.websocket.protocol import CLOSE_TIMEOUT


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
            source: Started first, stopped last.
            clients: Whose connections are closed at the end.
            authenticator: Gets what it needs at the start.
            listeners: All listening sockets.
            reloader: Stopped at last.
            metrics: For the authenticator.
        """
        super().__init__()
        self.clients = clients
        self.authenticator = authenticator
        self._metrics = metrics
        self._reactor = reactor
        self.source = source
        self._listeners = listeners
        self.reloader = reloader
        for service in (source, *listeners, reloader):
            service.setServiceParent(self)

    def add_site(self, listener: Listener) -> None:
        """Listen for operators.

        Args:
            listener: The listener of their site.
        """
        self._listeners.append(listener)
        listener.setServiceParent(self)

    def startService(self) -> None:
        """Start all parts; clients come when the reactor runs."""
        self.authenticator.attach(self._reactor, self._metrics)
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Stop in order: no new clients, then the present ones, then the source.

        A MultiService would stop all of them at once.

        Returns:
            Fires when all is done; clients get a few seconds to answer their Close.
        """
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await DeferredList([listener.stopService() for listener in self._listeners])
        await self.clients.close_all(CloseCode.SERVICE_RESTART, "the server stops")
        # Autobahn drops whoever has not answered within CLOSE_TIMEOUT; its timer has a grain.
        deadline = self._reactor.seconds() + CLOSE_TIMEOUT + 1
        while self.clients.connections and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0.02)
        await self.authenticator.detach()
        await self.source.stopService()
        self.reloader.stopService()
