"""`towerws.tap`: what a revocation does to the clients and the schemes of a server."""

from typing import Any

from tests.tap_case import TapCase
from tests.websocket_pair import MemoryClient
from towerws.core.patterns import Patterns
from towerws.core.revocation import Revocation
from towerws.server import Server


class RevokeTests(TapCase):
    """A revocation that has come to a server."""

    def setUp(self) -> None:
        """Take note of what is told to whom."""
        super().setUp()
        self.told: list[tuple[Any, ...]] = []

    def _server(self) -> Server:
        server = self.make("--operations=none")
        self.patch(server.authenticator, "forget", lambda user: self.told.append(("forget", user)))
        self.patch(server.clients, "revoke", self._revoke)
        return server

    def _revoke(self, user: str, groups: Patterns | None) -> int:
        self.told.append(("revoke", user, groups))
        return 2

    def test_order(self) -> None:
        """Schemes forget the user before clients are told, who may ask again at once."""
        source = self._server().source
        revoked = source.revoke(Revocation("7"))
        self.assertEqual(self.successResultOf(revoked), {"connections": 2})
        self.assertEqual(self.told, [("forget", "7"), ("revoke", "7", None)])
        self.told.clear()
        self.successResultOf(source.revoke(Revocation("7", "jobs-*")))
        self.assertEqual(self.told, [("forget", "7"), ("revoke", "7", Patterns(["jobs-*"]))])

    def test_fault(self) -> None:
        """A scheme that fails keeps no client connected; that it failed is not hidden."""
        server = self._server()
        self.patch(server.authenticator, "forget", lambda user: 1 / 0)
        self.assertRaises(ZeroDivisionError, server.source.revoke, Revocation("7"))
        self.assertEqual(self.told, [("revoke", "7", None)])

    def test_missed(self) -> None:
        """When a broker is back, what every client may hear is looked at again."""
        server = self.make("--operations=none", TOWERWS_BROKER="amqp://broker.example/")
        bridge: Any = server.source
        self.assertEqual(bridge._on_resumed, server.clients.crowd.recheck_all)

    def test_nobody(self) -> None:
        """Clients who have not said who they are have no id that could be revoked."""
        server = self.make("--operations=none")
        client = MemoryClient(self.reactor, server.clients).connect()
        for user in ("None", "null", " "):
            revoked = server.source.revoke(Revocation(user))
            self.assertEqual(self.successResultOf(revoked), {"connections": 0})
        self.assertIsNone(client.close_code)
