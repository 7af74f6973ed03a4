"""``twistd towerws``: the only place where everything meets."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from twisted.application.internet import TimerService
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.protocol import Factory

from towerws.auth.portal import PortalAuthenticator
from towerws.broker_emitter import BrokerEmitter
from towerws.core.forwarding import Proxies
from towerws.core.limits import Limits
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle
from towerws.factory import ClientFactory, Settings
from towerws.network.adopting import AdoptingReactor
from towerws.network.eager import write_eagerly
from towerws.network.endpoints import make_listener
from towerws.operations.site import OperationsSite
from towerws.options import Options
from towerws.reloading import Reloader
from towerws.revocations import Revocations
from towerws.server import Server
from towerws.signals import HangupSignal, TerminationSignal, has_terminal
from towerws.sources import attach_source, make_hub
from towerws.workers.sockets import OpeningReactor
from towerws.workers.supervisor import Supervisor

#: Seconds between two looks at what the history has that is too old.
EXPIRE_EVERY = 5.0

__all__ = ["Options", "makeService", "make_server"]


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
    if options["workers"] > 1:
        service = _make_supervisor(options, metrics, reactor)
        render = service.render
    else:
        service = make_server(
            options,
            options["credCheckers"],
            metrics,
            reactor,
            [(adopting, endpoint) for endpoint in options["listen"]],
        )
        render = None
    if options["operations"] != "none":
        site = OperationsSite(
            service,
            metrics,
            token=options["token"],
            max_event=options["max-event"],
            render=render,
        )
        service.add_site(make_listener(adopting, options["operations"], site, service.reloader))
    for taken in (
        HangupSignal(reactor, service.reloader.reload_all, has_terminal),
        TerminationSignal(reactor, service.drain),
    ):
        taken.setServiceParent(service)
    return service


def make_server(
    options: Mapping[str, Any],
    checkers: Iterable[ICredentialsChecker],
    metrics: Metrics,
    reactor: Any,
    listen: Iterable[tuple[Any, str]],
    *,
    emits: bool = True,
) -> Server:
    """Build what serves clients, without the operators' site.

    Args:
        options: As `Options` has them.
        checkers: Find out who connects.
        metrics: Where things are counted.
        reactor: Connects and measures time.
        listen: The websocket's endpoint strings, each with the reactor that is to listen.
        emits: Whether it publishes to the broker, if there is one.

    Returns:
        The service.

    Raises:
        StartError: An endpoint string is wrong.
    """
    hub = make_hub(options, metrics, reactor.seconds)
    authenticator = PortalAuthenticator(checkers)
    clients = ClientFactory(hub, authenticator, _settings(options, authenticator), metrics, reactor)
    revoke = partial(_revoke, authenticator, clients)
    revocations = Revocations(revoke, metrics, Throttle(reactor.seconds))
    source = attach_source(
        options,
        hub,
        revocations,
        metrics,
        reactor,
        on_resumed=clients.crowd.recheck_all,
        emits=emits,
    )
    reloader = Reloader(reactor, [authenticator], metrics)
    listeners = [
        make_listener(listening, endpoint, clients, reloader, write_eagerly)
        for listening, endpoint in listen
    ]
    server = Server(
        reactor, source, clients, authenticator, listeners, reloader=reloader, metrics=metrics
    )
    # What is too old goes away even if nothing is published.
    expiry = TimerService(EXPIRE_EVERY, hub.history.expire)
    expiry.clock = reactor
    expiry.setServiceParent(server)
    return server


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
        # Their certificates are the workers' affair, but mistakes are to be told at the start.
        [make_listener(opening, endpoint, nobody, None) for endpoint in options["listen"]],
        metrics,
        reactor,
        broker=broker,
        reloader=Reloader(reactor, (), metrics),
        drain=options["drain"],
    )


def _revoke(
    authenticator: PortalAuthenticator, clients: ClientFactory, revocation: Revocation
) -> int:
    try:
        # First, lest a client who asks again at once be answered from memory.
        authenticator.forget(revocation.user)
    finally:
        concerned = clients.revoke(revocation.user, revocation.patterns)
    return concerned


def _settings(options: Mapping[str, Any], authenticator: PortalAuthenticator) -> Settings:
    return Settings(
        paths=frozenset(options["path"]) or Settings().paths,
        origins=frozenset(options["origin"]),
        guard_rebinding=authenticator.is_anonymous,
        max_connections=options["max-connections"],
        max_connections_per_address=options["max-connections-per-address"],
        max_connections_per_user=options["max-connections-per-user"],
        max_handshakes=options["max-handshakes"],
        trusted_proxies=Proxies(options["trusted-proxy"]),
        max_message=options["max-message"],
        max_outbox=options["max-outbox"],
        drain=options["drain"],
        closes_on_gap=options["on-gap"] == "close",
        limits=Limits(
            groups=options["max-groups"],
            rate=options["max-rate"],
            subscribe_within=options["subscribe-timeout"],
            recheck_every=options["recheck"],
            heartbeat=options["heartbeat"],
        ),
    )
