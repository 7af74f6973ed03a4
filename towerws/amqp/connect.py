"""How a connection to a broker comes about: TCP, TLS and AMQP handshakes within one deadline."""

from collections.abc import Callable
from typing import Any, NoReturn, Required, TypedDict, Unpack

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from towerws.amqp.client import Client
from towerws.amqp.confirms import ConfirmLimits
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import ConnectFailed, HandshakeTimeout
from towerws.amqp.tls import connection_creator
from towerws.core.broker_url import BrokerURL
from towerws.network.host_endpoint import HostEndpoint

#: What connecting may raise: nobody listens; the name is unknown, or the system is out of files; a
#: name cannot be written.
_CONNECT_ERRORS = (ConnectError, OSError, ValueError)


class ClientOptions(TypedDict, total=False):
    """What a client is told by its user.

    Attributes:
        on_deliveries: Called with the deliveries that each read completed, in order, at least one.
            An error in it ends the connection.
        on_blocked: Called with whether publishing is blocked now, and the broker's reason.
        max_body: Largest body in bytes that is kept; larger ones come as ``None``.
        connection_name: What the broker's operators see.
        reply_timeout: Seconds the broker may owe us answers without giving one.
        confirm_limits: How many publishes may wait for confirmation on a channel.
    """

    on_deliveries: Required[Callable[[list[Delivery]], None]]
    on_blocked: Callable[[bool, str], None] | None
    max_body: int
    connection_name: str
    reply_timeout: float
    confirm_limits: ConfirmLimits | None


def connect(
    url: BrokerURL,
    host: tuple[str, int],
    *,
    reactor: Any,
    clock: IReactorTime | None = None,
    endpoint: IStreamClientEndpoint | None = None,
    **options: Unpack[ClientOptions],
) -> Deferred[Client]:
    """Connect to one of a URL's hosts, log in and open the vhost.

    Args:
        url: The broker.
        host: Which of ``url.hosts``.
        reactor: Resolves and connects.
        clock: Where the time comes from, if not the reactor.
        endpoint: Connects, instead of one made from ``url`` and ``host``.
        **options: For the client; see `ClientOptions`.

    Returns:
        Fires with the client, ready to use. Fails with `AuthenticationFailed`, `ConnectionClosed`
        (no such vhost), `HandshakeTimeout`, `ConnectFailed` or another `AMQPError`; no transport
        is left behind then, nor when it is cancelled.
    """
    clock = reactor if clock is None else clock
    client = Client(url, clock=clock, **options)
    connecting = Deferred.fromCoroutine(_connect(client, url, host, reactor, endpoint))
    return connecting.addTimeout(url.connection_timeout, clock, _raise_timeout)


def _raise_timeout(_result: object, seconds: float) -> NoReturn:
    raise HandshakeTimeout(f"the handshake with the broker was not over within {seconds:g} s")


async def _connect(
    client: Client,
    url: BrokerURL,
    host: tuple[str, int],
    reactor: Any,
    endpoint: IStreamClientEndpoint | None,
) -> Client:
    try:
        if endpoint is None:
            endpoint = _endpoint(url, host, reactor)
        factory = Factory.forProtocol(lambda: client)
        # Two lines in the log for each attempt would say no more than the bridge does.
        factory.noisy = False
        await endpoint.connect(factory)
        refused = await client.ready
    except (CancelledError, ConnectingCancelledError):
        client.abort("this side gave the handshake up")
        raise CancelledError from None
    except _CONNECT_ERRORS as error:
        why = str(error).rstrip(".")
        raise ConnectFailed(f"no connection to {host[0]} port {host[1]}: {why}") from error
    if refused is not None:
        raise refused
    return client


def _endpoint(url: BrokerURL, host: tuple[str, int], reactor: Any) -> IStreamClientEndpoint:
    name, port = host
    creator = connection_creator(url, name) if url.tls else None
    # Its own timeout is not to come before the deadline of the whole handshake.
    plain = HostEndpoint(reactor, name, port, timeout=2 * url.connection_timeout)
    return plain if creator is None else wrapClientTLS(creator, plain)
