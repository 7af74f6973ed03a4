"""Publishes what comes over HTTP to the broker, on a connection that does nothing else."""

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from towerws.amqp.client import Client
from towerws.amqp.connect import connect
from towerws.amqp.errors import AMQPError
from towerws.amqp.hosts import Hosts
from towerws.amqp.producer import Producer
from towerws.core.broker_url import BrokerURL
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Metrics
from towerws.core.revocation import ROUTING_KEY, Revocation

#: Seconds for the broker to take part in the end of a connection.
CLOSE_WITHIN = 2.0


class BrokerEmitter(Service):
    """A connection to the broker, opened when something is emitted."""

    name = "broker emitter"

    def __init__(
        self,
        url: BrokerURL,
        exchange: str,
        metrics: Metrics,
        reactor: Any,
        *,
        hosts: Hosts | None = None,
        connect: Callable[..., Deferred[Client]] = connect,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            url: The broker, or several of one cluster.
            exchange: The topic exchange, which whoever consumes declares.
            metrics: Where the state of the connection is shown.
            reactor: Connects and measures time.
            hosts: The broker's, if somebody else learns which of them serves.
            connect: For tests; see `towerws.amqp.connect.connect`.
        """
        self._hosts = hosts or Hosts(url.hosts)
        self._connect = partial(connect, url, reactor=reactor)
        self._exchange = exchange
        self._reactor = reactor
        self._producer: Producer | None = None
        metrics.gauge(
            "towerws_broker_blocked",
            "1 while the broker takes no events because of an alarm.",
            lambda: int(self._producer is not None and self._producer.blocked),
        )

    def startService(self) -> None:
        """Be ready to connect."""
        super().startService()
        self._producer = Producer(
            partial(self._connect, connection_name=connection_name("producer")),
            self._hosts.serving_first,
            self._exchange,
            self._reactor,
        )

    def stopService(self) -> Deferred[None]:
        """Leave the broker.

        Returns:
            Fires when the connection is closed, within a bounded time.
        """
        super().stopService()
        producer, self._producer = self._producer, None
        return succeed(None) if producer is None else producer.close(CLOSE_WITHIN)

    async def emit(self, group: str, payload: bytes) -> dict[str, object]:
        """Publish an event.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            ``{"confirmed": true}`` when the broker has taken it.

        Raises:
            SourceUnavailable: It has not, or not within a bounded time.
        """
        return await self._publish(group, payload, "event")

    async def revoke(self, revocation: Revocation) -> dict[str, object]:
        """Publish a revocation.

        Args:
            revocation: Who may hear less.

        Returns:
            ``{"confirmed": true}`` when the broker has taken it.

        Raises:
            SourceUnavailable: It has not, or not within a bounded time.
        """
        return await self._publish(ROUTING_KEY, revocation.encode(), "revocation")

    async def _publish(self, routing_key: str, body: bytes, what: str) -> dict[str, object]:
        if self._producer is None:
            raise SourceUnavailable("The server stops.")
        try:
            await self._producer.publish(routing_key, body)
        except AMQPError as error:
            raise SourceUnavailable(f"The broker did not confirm the {what}: {error}.") from error
        return {"confirmed": True}


def connection_name(role: str) -> str:
    """Name a connection for whoever lists those of the broker.

    Not to be called before a service starts: until then, twistd may fork.

    Args:
        role: What the connection is for.

    Returns:
        The name, with this machine and process in it.
    """
    return f"towerws {role} {socket.gethostname()}:{os.getpid()}"
