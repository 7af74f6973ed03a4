"""``twistd towerws``: the only place where everything meets."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorCore
from twisted.internet.task import deferLater
from twisted.logger import Logger

from towerws.amqp_bridge import AMQPBridge, BridgeSettings
from towerws.auth.anonymous import Anonymous
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.session import Limits
from towerws.core.wire import CloseCode
from towerws.eager import write_eagerly
from towerws.embedded import EmbeddedSource
from towerws.factory import ClientFactory, Settings
from towerws.listening import Listener, StartError
from towerws.operations import OperationsSite
from towerws.options import Options
from towerws.websocket import CLOSE_TIMEOUT

__all__ = ["Options", "Server", "makeService"]


class Server(MultiService):
    """The running server: the event source, and the listeners in front of it.

    Attributes:
        clients: The factory of the websocket.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        source: IService,
        clients: ClientFactory,
        listeners: list[Listener],
    ) -> None:
        """Put the parts together.

        Args:
            reactor: Measures the time that clients get to leave.
            source: Started first, stopped last.
            clients: Whose connections are closed at the end.
            listeners: All listening sockets.
        """
        super().__init__()
        self.clients = clients
        self._reactor = reactor
        self._source = source
        self._listeners = listeners
        for service in (source, *listeners):
            service.setServiceParent(self)

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
        self.clients.close_all(CloseCode.SERVICE_RESTART, "the server stops")
        # Autobahn drops whoever has not answered within CLOSE_TIMEOUT; its timer has a grain.
        deadline = self._reactor.seconds() + CLOSE_TIMEOUT + 1
        while self.clients.connections and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, 0.02)
        await self._source.stopService()


def makeService(options: Options, reactor: Any = None) -> Server:
    """Build the server; nothing is connected or listens before it is started.

    Args:
        options: The parsed command line.
        reactor: For tests; the global one if None.

    Returns:
        The service for twistd.

    Raises:
        StartError: An endpoint string is wrong.
    """
    if reactor is None:
        from twisted.internet import reactor
    metrics = Metrics()
    hub = Hub(metrics, tell_gaps=options["on-gap"] == "close")
    source = _make_source(options, hub, metrics, reactor)
    hub.attach(source)
    clients = ClientFactory(hub, Anonymous(), _settings(options), metrics, reactor)
    listeners = [
        _listener(reactor, endpoint, clients, write_eagerly) for endpoint in options["listen"]
    ]
    if options["operations"] != "none":
        site = OperationsSite(
            source, metrics, token=options["token"], max_event=options["max-event"]
        )
        listeners.append(_listener(reactor, options["operations"], site))
    return Server(reactor, source, clients, listeners)


def _make_source(
    options: Options, hub: Hub, metrics: Metrics, reactor: Any
) -> EmbeddedSource | AMQPBridge:
    if options["broker"] is None:
        return EmbeddedSource(hub)
    settings = BridgeSettings(
        exchange=options["exchange"],
        prefetch=options["prefetch"],
        max_event=options["max-event"],
    )
    return AMQPBridge(options["broker"], hub, settings, metrics, reactor)


def _settings(options: Options) -> Settings:
    return Settings(
        paths=frozenset(options["path"]) or Settings().paths,
        origins=frozenset(options["origin"]),
        max_connections=options["max-connections"],
        max_message=options["max-message"],
        max_outbox=options["max-outbox"],
        limits=Limits(groups=options["max-groups"], rate=options["max-rate"]),
    )


def _listener(
    reactor: IReactorCore,
    description: str,
    factory: IProtocolFactory,
    prepare: Callable[[IListeningPort], None] | None = None,
) -> Listener:
    try:
        endpoint = serverFromString(reactor, description)
    except Exception as error:  # noqa: BLE001  # endpoints are plugins, and OpenSSL has its own
        raise StartError(f"{description!r} is not an endpoint: {error}") from None
    return Listener(description, endpoint, factory, prepare)
