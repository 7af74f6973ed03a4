"""The real server with a real RabbitMQ: groups that linger, so that a return loses nothing."""

from typing import Any

from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, Client
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess
from towerws.core.wire_v1 import SUBPROTOCOL


class LingerTests(ServerCase):
    """A client leaves, something is published, and it comes back."""

    def setUp(self) -> None:
        """Start the broker if this is the first test that needs it."""
        self.node = shared_node()

    def _start(self, linger: int) -> ServerProcess:
        options = ("--linger", str(linger), "--exchange", "towerws.linger")
        return self.start_server(*options, broker=self.node.url)

    def _v1_client(self, server: ServerProcess) -> Client:
        return self.client(server, subprotocols=[SUBPROTOCOL])

    def _leave_and_return(self, server: ServerProcess) -> tuple[Client, Any]:
        """Listen to a group, leave, and come back when the group has had an event.

        Returns:
            The client, and the reply to its second subscription.
        """
        first = self._v1_client(server)
        position = first.subscribe(linger=[1])["position"]
        first.close()
        wait_until(lambda: server.metric("towerws_groups") == 0, PATIENCE, "it has not left")
        self.backend(self.node.url, "towerws.linger").publish("linger-1", b'{"n": 1}')
        second = self._v1_client(server)
        second.send({"groups": {"linger": [1]}, "since": position})
        return second, second.receive_json()

    def test_lingers(self) -> None:
        """The group is still bound: the event is replayed."""
        server = self._start(60)
        client, reply = self._leave_and_return(server)
        self.assertEqual((reply["resumed"], reply["replayed"]), (True, 1))
        self.assertEqual(client.receive_json()["event"], {"n": 1})
        self.assertEqual(server.metric("towerws_lingering_groups"), 0)

    def test_does_not_linger(self) -> None:
        """The group was unbound: the event is missing, and the client is told."""
        client, reply = self._leave_and_return(self._start(0))
        self.assertEqual((reply["resumed"], reply["replayed"]), (False, 0))
        self.assertIn("gap", client.receive_json())

    def test_unbound_in_the_end(self) -> None:
        """After its time the broker is told, and nothing lingers."""
        server = self._start(1)
        client = self._v1_client(server)
        client.subscribe(linger=[2])
        client.subscribe(linger=[3])
        self.assertEqual(server.metric("towerws_lingering_groups"), 1)
        wait_until(
            lambda: server.metric("towerws_lingering_groups") == 0, PATIENCE, "it lingers on"
        )
        bound = self.node.ctl("list_bindings", "routing_key")
        self.assertIn("linger-3", bound)
        self.assertNotIn("linger-2", bound)
