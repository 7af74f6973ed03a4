"""From an endpoint string to a listener, with or without TLS."""

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from towerws.network.listening import Listener, StartError, with_backlog
from towerws.network.tls import TLSEndpoint, split_tls
from towerws.network.tls_context import TLSError
from towerws.reloading import Reloader


def make_listener(
    reactor: Any,
    description: str,
    factory: IProtocolFactory,
    reloader: Reloader | None,
    prepare: Callable[[IListeningPort], None] | None = None,
) -> Listener:
    """Make a listener; nothing listens yet.

    Args:
        reactor: Is to listen.
        description: The endpoint string.
        factory: Makes a protocol for each connection.
        reloader: Looks after the certificate, if there is one; None where another process has the
            connections, and only mistakes are to be told.
        prepare: See `Listener`.

    Returns:
        The listener.

    Raises:
        StartError: The string is wrong, or a file that it names is.
    """
    try:
        below, tls = split_tls(description)
        endpoint = serverFromString(reactor, with_backlog(below))
    except TLSError as error:
        raise StartError(f"cannot listen on {description}: {error}") from None
    except Exception as error:  # noqa: BLE001  # endpoints are plugins
        raise StartError(f"{description!r} is not an endpoint: {error}") from None
    if tls is not None:
        endpoint = TLSEndpoint(endpoint, tls, reactor)
        if reloader is not None:
            reloader.add(tls)
            tls.attach(reloader.metrics)
    return Listener(description, endpoint, factory, prepare)
