"""From a URL to what makes connections there."""

import os
from collections.abc import Callable

from towerws.core.broker_url import BrokerURL
from towerws.notify.http import HTTPConnector
from towerws.notify.sender import Connection
from towerws.notify.site import Site

#: The embedded server's operators' site on this machine.
DEFAULT_URL = "http://127.0.0.1:8052"

#: The topic exchange that servers consume from.
DEFAULT_EXCHANGE = "towerws.events"


def connector(url: str | None, token: str | None, exchange: str) -> Callable[[float], Connection]:
    """Prepare to connect; connects to nothing.

    Args:
        url: Where to; ``TOWERWS_URL`` if ``None``, and without that `DEFAULT_URL`.
        token: The bearer token of the operators' site; ``TOWERWS_TOKEN`` if ``None``.
        exchange: Name of the broker's topic exchange.

    Returns:
        Makes a connection until a moment of `time.monotonic`, or raises `Unreachable`.

    Raises:
        ValueError: The URL or the token cannot be; the text has no secrets.
        OSError: A certificate cannot be read (`ssl.SSLError`: cannot be used).
    """
    url = url or os.environ.get("TOWERWS_URL") or DEFAULT_URL
    if url.strip().lower().startswith(("amqp:", "amqps:")):
        broker = BrokerURL.parse(url)
        # A backend that publishes over HTTP need not have pika, nor load it.
        from towerws.notify.amqp import AMQPConnector  # noqa: PLC0415

        return AMQPConnector(broker, exchange)
    token = token or os.environ.get("TOWERWS_TOKEN", "").strip() or None
    return HTTPConnector(Site.parse(url), token)
