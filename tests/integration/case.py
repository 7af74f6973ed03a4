"""What integration tests with a real server have in common."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.backend import Backend
from tests.integration.clients import Client
from tests.integration.server import ServerProcess, shared_server


class ServerCase(SynchronousTestCase):
    """A test with real servers, whose logs must be free of tracebacks when it ends."""

    def use(self, server: ServerProcess) -> ServerProcess:
        """Look into the log of a server, which others use as well, when the test ends.

        Args:
            server: A running server.

        Returns:
            The same.
        """
        self.addCleanup(self._check_log, server)
        return server

    def start_server(
        self,
        *options: str,
        broker: str | None = None,
        until_ready: bool = True,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> ServerProcess:
        """Start a server that is stopped when the test ends.

        Args:
            *options: See `ServerProcess`.
            broker: See `ServerProcess`.
            until_ready: See `ServerProcess.start`.
            command: See `ServerProcess`.
            environment: See `ServerProcess`.

        Returns:
            The running server.
        """
        server = self.use(
            ServerProcess(*options, broker=broker, command=command, environment=environment)
        )
        self.addCleanup(server.stop)
        return server.start(until_ready=until_ready)

    def client(self, server: ServerProcess, **options: Any) -> Client:
        """Connect a client that is closed when the test ends.

        Args:
            server: Where to.
            **options: See `Client`.

        Returns:
            The client, greeted.
        """
        client = Client(server.websocket_url, **options)
        self.addCleanup(client.close)
        return client

    def backend(self, url: str, exchange: str = "towerws.events") -> Backend:
        """Connect a backend that is closed when the test ends.

        Args:
            url: The broker's.
            exchange: Where it publishes to.

        Returns:
            The backend.
        """
        backend = Backend(url, exchange)
        self.addCleanup(backend.close)
        return backend

    def tell(self, sentence: str) -> None:
        """Show a figure that somebody may want to know, in the middle of trial's report.

        Args:
            sentence: What was measured.
        """
        sys.stdout.write(f"\n{sentence}\n")

    def _check_log(self, server: ServerProcess) -> None:
        log = server.log()
        self.assertFalse("Traceback" in log or "Unhandled" in log, log)


class SharedServerCase(ServerCase):
    """A test with the shared server. Each test has groups of its own."""

    def setUp(self) -> None:
        """Start the server if this is the first test that needs it."""
        self.server = self.use(shared_server())

    def emit(self, group: str, payload: bytes, *, reaches: int = 1) -> None:
        """Publish an event."""
        self.assertEqual(self.server.emit(group, payload), (202, {"connections": reaches}))
