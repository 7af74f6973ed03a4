"""Where RabbitMQ is and how to get in: hosts, addresses, TLS."""

import os
import socket
import ssl
from pathlib import Path

import pika

from towerws.core.broker_url import BrokerURL
from towerws.notify.amqp_connection import AMQPConnection
from towerws.notify.errors import Unreachable
from towerws.notify.network import KEEPALIVE, first_reached, resolve


class AMQPConnector:
    """Makes connections to a broker that may have several hosts."""

    def __init__(self, broker: BrokerURL, exchange: str) -> None:
        """Prepare; loads the certificates, and connects to nothing.

        Args:
            broker: Where the broker is.
            exchange: Name of the topic exchange to publish to.

        Raises:
            OSError: A certificate or key cannot be read (`ssl.SSLError`: cannot be used).
        """
        self._broker = broker
        self._exchange = exchange
        self._context = _tls_context(broker) if broker.tls else None

    def __call__(self, deadline: float) -> "AMQPConnection":
        """Connect to the first host that lets us, with an equal share of the time for each.

        Args:
            deadline: When to give up, as a moment of `time.monotonic`.

        Returns:
            A connection that is ready to publish.

        Raises:
            Unreachable: No host was reached; tells why of the last one.
        """
        return first_reached(self._candidates(deadline), self._connect, deadline)

    def _candidates(self, deadline: float) -> list[tuple[str, str, int]]:
        """Find the addresses of all hosts whose names are known."""
        found: list[tuple[str, str, int]] = []
        unknown: list[Unreachable] = []
        for host, port in self._broker.hosts:
            try:
                found += [(host, *address) for address in resolve(host, port, deadline)]
            except Unreachable as error:
                unknown.append(error)
        if not found:
            raise unknown[-1]
        return found

    def _connect(self, candidate: tuple[str, str, int], deadline: float) -> "AMQPConnection":
        connection = AMQPConnection(self._exchange)
        try:
            connection.open(self._parameters(*candidate), deadline)
        except BaseException:
            connection.abandon()
            raise
        return connection

    def _parameters(self, host: str, address: str, port: int) -> pika.ConnectionParameters:
        name = self._broker.server_name_indication or host
        return pika.ConnectionParameters(
            address,
            port,
            virtual_host=self._broker.vhost,
            credentials=pika.PlainCredentials(self._broker.username, self._broker.password),
            ssl_options=self._context and pika.SSLOptions(self._context, name),
            # A web process may be idle for hours, in which no code runs that could send heartbeats;
            # RabbitMQ would close the connection and log an error for each idle process. The
            # kernel's keepalive does the same work. The URL's heartbeat is the server's.
            heartbeat=0,
            tcp_options=KEEPALIVE,
            # The time limit is the deadline.
            socket_timeout=None,
            stack_timeout=None,
            client_properties={
                "connection_name": f"towerws.notify {socket.gethostname()}:{os.getpid()}"
            },
        )


def _tls_context(broker: BrokerURL) -> ssl.SSLContext:
    for path in (broker.cacertfile, broker.certfile, broker.keyfile):
        if path is not None:
            # The error of ssl does not tell which file is not there.
            Path(path).open("rb").close()
    context = ssl.create_default_context(cafile=broker.cacertfile)
    if broker.verify == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if broker.certfile is not None:
        # A passphrase would be asked for on the terminal, where nobody sits.
        context.load_cert_chain(broker.certfile, broker.keyfile, password="")
    return context
