"""``twistd towerws``: the only place where everything meets."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from towerws.adopting import AdoptingReactor
from towerws.amqp_bridge import AMQPBridge, BridgeSettings
from towerws.auth.anonymous import Anonymous
from towerws.broker_emitter import BrokerEmitter
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.session import Limits
from towerws.core.wire import CloseCode
from towerws.eager import write_eagerly
from towerws.embedded import EmbeddedSource
from towerws.factory import ClientFactory, Settings
from towerws.listening import Listener, StartError, with_backlog
from towerws.operations import Emitter, OperationsSite
from towerws.options import Options
from towerws.websocket import CLOSE_TIMEOUT
from towerws.workers.sockets import OpeningReactor
from towerws.workers.supervisor import Supervisor

__all__ = ["Options", "Server", "makeService", "make_server"]


class Server(MultiService):
    """The running server: the event source, and the listeners in front of it.

    Attributes:
        source: Where events come from.
        clients: The factory of the websocket.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        source: EmbeddedSource | AMQPBridge,
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
        self.source = source
        self._listeners = listeners
        for service in (source, *listeners):
            service.setServiceParent(self)

    def add_site(self, listener: Listener) -> None:
        """Listen for operators.

        Args:
            listener: The listener of their site.
        """
        self._listeners.append(listener)
        listener.setServiceParent(self)

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
        await self.source.stopService()


def makeService(options: Options, reactor: Any = None) -> Server | Supervisor:
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
    adopting = AdoptingReactor(reactor)
    service: Server | Supervisor
    emitter: Emitter
    if options["workers"] > 1:
        service = emitter = _make_supervisor(options, metrics, reactor)
        render = service.render
    else:
        service = make_server(
            options, metrics, reactor, [(adopting, endpoint) for endpoint in options["listen"]]
        )
        emitter, render = service.source, None
    if options["operations"] != "none":
        site = OperationsSite(
            emitter,
            metrics,
            token=options["token"],
            max_event=options["max-event"],
            render=render,
        )
        service.add_site(_listener(adopting, options["operations"], site))
    return service


def make_server(
    options: Mapping[str, Any],
    metrics: Metrics,
    reactor: Any,
    listen: Iterable[tuple[Any, str]],
    *,
    emits: bool = True,
) -> Server:
    """Build what serves clients, without the operators' site.

    Args:
        options: As `Options` has them.
        metrics: Where things are counted.
        reactor: Connects and measures time.
        listen: The websocket's endpoint strings, each with the reactor that is to listen.
        emits: Whether it publishes to the broker, if there is one.

    Returns:
        The service.

    Raises:
        StartError: An endpoint string is wrong.
    """
    hub = Hub(metrics, tell_gaps=options["on-gap"] == "close")
    source = _make_source(options, hub, metrics, reactor, emits)
    hub.attach(source)
    clients = ClientFactory(hub, Anonymous(), _settings(options), metrics, reactor)
    listeners = [
        _listener(listening, endpoint, clients, write_eagerly) for listening, endpoint in listen
    ]
    return Server(reactor, source, clients, listeners)


def _make_supervisor(options: Options, metrics: Metrics, reactor: Any) -> Supervisor:
    opening = OpeningReactor(reactor, options["workers"])
    nobody = Factory()
    nobody.noisy = False
    broker = None
    if options["broker"] is not None:
        broker = BrokerEmitter(options["broker"], options["exchange"], metrics, reactor)
    return Supervisor(
        options["workers"],
        options.for_workers(),
        [_listener(opening, endpoint, nobody) for endpoint in options["listen"]],
        metrics,
        reactor,
        broker=broker,
    )


def _make_source(
    options: Mapping[str, Any], hub: Hub, metrics: Metrics, reactor: Any, emits: bool
) -> EmbeddedSource | AMQPBridge:
    if options["broker"] is None:
        return EmbeddedSource(hub)
    settings = BridgeSettings(
        exchange=options["exchange"],
        prefetch=options["prefetch"],
        max_event=options["max-event"],
    )
    return AMQPBridge(options["broker"], hub, settings, metrics, reactor, emits=emits)


def _settings(options: Mapping[str, Any]) -> Settings:
    return Settings(
        paths=frozenset(options["path"]) or Settings().paths,
        origins=frozenset(options["origin"]),
        max_connections=options["max-connections"],
        max_message=options["max-message"],
        max_outbox=options["max-outbox"],
        limits=Limits(groups=options["max-groups"], rate=options["max-rate"]),
    )


def _listener(
    reactor: Any,
    description: str,
    factory: IProtocolFactory,
    prepare: Callable[[IListeningPort], None] | None = None,
) -> Listener:
    try:
        endpoint = serverFromString(reactor, with_backlog(description))
    except Exception as error:  # noqa: BLE001  # endpoints are plugins, and OpenSSL has its own
        raise StartError(f"{description!r} is not an endpoint: {error}") from None
    return Listener(description, endpoint, factory, prepare)
