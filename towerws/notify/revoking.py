"""Publishing a revocation, for `towerws revoke`; see `towerws.core.revocation`.

Apart from `Publisher`, which drops what cannot be sent and goes on: a revocation that was not
confirmed is one that somebody has to repeat.
"""

import time
from typing import Any

from towerws.core.revocation import Revocation
from towerws.notify.connecting import DEFAULT_EXCHANGE, connector

#: Seconds for all of it. A server behind a broker takes up to 5 to say that it cannot.
TIMEOUT = 10.0


def revoke(
    revocation: Revocation,
    url: str | None = None,
    *,
    token: str | None = None,
    exchange: str = DEFAULT_EXCHANGE,
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Publish a revocation on a connection of its own.

    Args:
        revocation: Who may hear less.
        url: Where to publish; see `Publisher`.
        token: The bearer token of the server's operators' site; see `Publisher`.
        exchange: Name of the broker's topic exchange.
        timeout: The longest that it may take, in seconds.

    Returns:
        What became of it: ``{"confirmed": true}`` when a broker has taken it for all nodes,
        ``{"connections": 3}`` from a server without one.

    Raises:
        EmitError: It was not sent, not confirmed in time, or no server is connected to the
            exchange; tells which.
        ValueError: The URL or the token cannot be; the text has no secrets.
        OSError: A certificate cannot be read (`ssl.SSLError`: cannot be used).
    """
    connect = connector(url, token, exchange)
    deadline = time.monotonic() + timeout
    connection = connect(deadline)
    try:
        answer = connection.revoke(revocation, deadline)
    except BaseException:
        connection.abandon()
        raise
    connection.close(deadline)
    return answer
