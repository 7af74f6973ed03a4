"""Access that is revoked, on every node at once: real servers, a real broker, the real command."""

import tempfile
import time
from pathlib import Path
from typing import Any

import jwt

from tests.integration.case import ServerCase
from tests.integration.clients import Client
from tests.integration.commands import run_command
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess

#: Nobody else's: events and revocations of other tests go elsewhere.
_EXCHANGE = "towerws.revoke"

_SECRET = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_REVOKED = 1008


class RevokeCase(ServerCase):
    """A test with clients that show tokens."""

    def setUp(self) -> None:
        """Write the key file."""
        directory = tempfile.TemporaryDirectory(prefix="towerws-revoke-")
        self.addCleanup(directory.cleanup)
        self._key = Path(directory.name, "key")
        self._key.write_text(_SECRET)

    def start_node(self, *options: str, broker: str | None = None) -> ServerProcess:
        """Start a server that asks for tokens."""
        return self.start_server(
            "--auth", f"jwt:key={self._key}", "--exchange", _EXCHANGE, *options, broker=broker
        )

    def user(self, server: ServerProcess, user: str, *groups: int) -> Client:
        """Connect a user, who subscribes to groups such as ``jobs-1``."""
        claims: dict[str, Any] = {"sub": user, "exp": time.time() + 600, "groups": ["jobs-*"]}
        token = jwt.encode(claims, _SECRET, "HS256")
        client = self.client(server, headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(client.greeting["user"], user)
        if groups:
            client.subscribe(jobs=list(groups))
        return client

    def revoke(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command."""
        return run_command("revoke", *arguments)


class BrokerTests(RevokeCase):
    """Two nodes, and the command that speaks to their broker."""

    def setUp(self) -> None:
        """Start the nodes, and two users at each."""
        super().setUp()
        self.node = shared_node()
        self.servers = [self.start_node(broker=self.node.url) for _ in range(2)]
        self.hers = [self.user(server, "7", 1, 2) for server in self.servers]
        self.his = [self.user(server, "8", 1, 2) for server in self.servers]
        self.broker = ("--url", self.node.url, "--exchange", _EXCHANGE)

    def _hears(self, client: Client, *groups: int) -> None:
        """See which groups a client still hears, and that it is there."""
        backend = self.backend(self.node.url, _EXCHANGE)
        for group in (1, 2):
            backend.publish(f"jobs-{group}", b'{"jobs": %d}' % group)
        heard = [client.receive_json() for _ in groups]
        self.assertEqual(heard, [{"jobs": group} for group in groups])

    def test_user(self) -> None:
        """All connections of one user are closed on both nodes, and nobody else's."""
        idle = self.user(self.servers[0], "7")
        began = time.monotonic()
        status, stdout, stderr = self.revoke("--user", "7", *self.broker)
        self.assertEqual((status, stderr), (0, ""))
        self.assertEqual(stdout, "revoked: the broker has it and tells every node\n")
        self.assertEqual([client.wait_closed() for client in (*self.hers, idle)], [_REVOKED] * 3)
        self.tell(f"revoked at two nodes in {time.monotonic() - began:.2f} s, command and all")
        for client in self.his:
            self._hears(client, 1, 2)
        concerned = [server.metric("towerws_revoked_connections_total") for server in self.servers]
        self.assertEqual(concerned, [2, 1])
        # What it does not do: the token is as good as before.
        self.assertEqual(self.user(self.servers[1], "7").greeting["user"], "7")

    def test_group(self) -> None:
        """One group is left, the client is told, and the other group goes on."""
        status, _, stderr = self.revoke("--user", "7", "--group", "jobs-2", *self.broker)
        self.assertEqual((status, stderr), (0, ""))
        for client in self.hers:
            denied = "access denied to channel jobs for resource id 2"
            self.assertEqual(client.receive_json(), {"error": denied})
            reply = client.receive_json()
            self.assertEqual(
                (reply["groups_current"], reply["groups_left"]), (["jobs-1"], ["jobs-2"])
            )
            self._hears(client, 1)
        for client in self.his:
            self._hears(client, 1, 2)

    def test_nobody(self) -> None:
        """Where no server is, as at a misspelt exchange, nothing is said to be revoked."""
        arguments = ("--user", "7", "--url", self.node.url, "--exchange", "towerws.revok")
        status, stdout, stderr = self.revoke(*arguments)
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn("no server hears the broker's exchange 'towerws.revok'", stderr)

    def test_over_http(self) -> None:
        """What one node is asked for happens on all; what is none is refused, here and there."""
        url = self.servers[0].operations_url
        status, stdout, _ = self.revoke("--user", "7", "--url", url)
        self.assertEqual((status, stdout), (0, "revoked: the broker has it and tells every node\n"))
        self.assertEqual([client.wait_closed() for client in self.hers], [_REVOKED] * 2)
        backend = self.backend(self.node.url, _EXCHANGE)
        for body in (b"{}", b"x", b'{"user": "8", "all": true}'):
            backend.publish("$revoke", body)
        invalid = 'towerws_revocations_total{result="invalid"}'
        for server in self.servers:
            wait_until(lambda: server.metric(invalid) == 3, 10, "bad revocations were not counted")  # noqa: B023
        for client in self.his:
            self._hears(client, 1, 2)

    def test_not_by_backends(self) -> None:
        """Topic permissions keep whoever may publish events from revoking access."""
        self.addCleanup(self.node.ctl, "delete_user", "backend")
        self.node.ctl("add_user", "backend", "pw")
        self.node.ctl("set_permissions", "backend", ".*", ".*", ".*")
        self.node.ctl("set_topic_permissions", "backend", _EXCHANGE, "^[^$]", ".*")
        url = f"amqp://backend:pw@127.0.0.1:{self.node.port}"
        status, _, stderr = self.revoke("--user", "8", "--url", url, "--exchange", _EXCHANGE)
        self.assertEqual(status, 1)
        self.assertIn("not revoked: the broker refused it: ACCESS_REFUSED", stderr)
        self.assertNotIn("pw@", stderr)
        self.backend(url, _EXCHANGE).publish("jobs-1", b'{"jobs": 1}')
        for client in self.his:
            self.assertEqual(client.receive_json(), {"jobs": 1})

    def test_not_by_clients(self) -> None:
        """Nobody can subscribe to revocations, or publish one as an event."""
        client = self.his[0]
        client.send({"groups": {"$revoke": ["x"]}, "xrftoken": None})
        self.assertIn("error", client.receive_json())
        status, answer = self.servers[0].emit("$revoke", b'{"user": "8"}')
        self.assertEqual(status, 400)
        self.assertIn("begin with $", str(answer))
        self._hears(client, 1, 2)


class EmbeddedTests(RevokeCase):
    """A server without a broker, and one of several workers."""

    def test_one_process(self) -> None:
        """The answer tells how many connections there were."""
        server = self.start_node()
        clients = [self.user(server, "7", 1) for _ in range(2)]
        other = self.user(server, "8", 1)
        url = ("--url", server.operations_url)
        self.assertEqual(self.revoke("--user", "9", *url)[:2], (0, "revoked: 0 connections\n"))
        self.assertEqual(self.revoke("--user", "7", *url)[:2], (0, "revoked: 2 connections\n"))
        self.assertEqual([client.wait_closed() for client in clients], [_REVOKED] * 2)
        self.assertEqual(server.emit("jobs-1", b"{}"), (202, {"connections": 1}))
        self.assertEqual(other.receive(), b"{}")

    def test_workers(self) -> None:
        """Whatever worker a connection is at, it is found."""
        server = self.start_node("--workers", "2")
        clients = [self.user(server, "7", 1) for _ in range(8)]
        status, stdout, _ = self.revoke("--user", "7", "--url", server.operations_url)
        self.assertEqual((status, stdout), (0, "revoked: 8 connections\n"))
        self.assertEqual({client.wait_closed() for client in clients}, {_REVOKED})

    def test_away(self) -> None:
        """Where nobody is, the command says so, within its time."""
        began = time.monotonic()
        for url in ("http://127.0.0.1:1", "amqp://127.0.0.1:1"):
            status, stdout, stderr = self.revoke("--user", "7", "--url", url)
            self.assertEqual((status, stdout), (1, ""))
            self.assertIn("towerws revoke: not revoked: ", stderr)
        self.assertLess(time.monotonic() - began, 15)
