"""`towerws.tap`: who may connect, from the command line to the connection."""

from twisted.cred import strcred
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from tests.auth.fakes import FakeAttachedChecker
from tests.tap_case import TapCase
from tests.websocket_pair import MemoryClient
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IHandshake
from towerws.auth.users import User
from towerws.core.forwarding import Proxies
from towerws.core.revocation import Revocation
from towerws.server import Server


def _by_name(handshake: Handshake) -> User:
    if "x-name" not in handshake.headers:
        raise UnauthorizedLogin
    return User(handshake.headers["x-name"])


@implementer(strcred.ICheckerFactory)
class _Scheme:
    """Makes the checker of a test."""

    authType = "name"
    authHelp = argStringFormat = ""
    credentialInterfaces = (IHandshake,)

    def __init__(self, checker: FakeAttachedChecker) -> None:
        self._checker = checker

    def generateChecker(self, argstring: str) -> FakeAttachedChecker:
        """See `ICheckerFactory`."""
        return self._checker


class AuthTests(TapCase):
    """A server with a scheme."""

    def setUp(self) -> None:
        """Add the scheme to the plugins."""
        super().setUp()
        self.checker = FakeAttachedChecker(_by_name)
        self.checker.files = ()
        self.patch(strcred, "findCheckerFactories", lambda: [_Scheme(self.checker)])

    def start(self, *arguments: str) -> Server:
        """Start a server."""
        server = self.make("--auth=name", "--listen=tcp:8051", *arguments)
        server.startService()
        return server

    def client(self, server: Server, name: str) -> MemoryClient:
        """Connect as somebody, and listen to two groups."""
        client = MemoryClient(self.reactor, server.clients, headers=[("X-Name", name)]).connect()
        client.send('{"groups": {"jobs": [1, 2]}}')
        self.assertEqual(client.texts()[0], f'{{"accept": true, "user": "{name}"}}'.encode())
        return client

    def test_is_asked(self) -> None:
        """Whoever it does not know is turned away."""
        server = self.start()
        self.client(server, "anna")
        stranger = MemoryClient(self.reactor, server.clients).connect()
        self.assertEqual((stranger.texts(), stranger.close_code), ([b'{"close": true}'], 1000))

    def test_life(self) -> None:
        """It is attached when the server starts, and the server's end waits for it."""
        server = self.make("--auth=name")
        self.assertEqual(self.checker.calls, [])
        server.startService()
        self.assertEqual(self.checker.calls, [("attach", self.reactor, server._metrics)])
        done = server.stopService()
        self.assertEqual(self.checker.calls[1:], ["detach"])
        self.assertNoResult(done)
        self.checker.detached.callback(None)
        self.successResultOf(done)

    def test_revoke(self) -> None:
        """First what is remembered, then the connections; nobody else's."""
        server = self.start()
        anna, berta = self.client(server, "anna"), self.client(server, "berta")
        one = self.successResultOf(server.source.revoke(Revocation("anna", "jobs-2")))
        self.assertEqual(one, {"connections": 1})
        self.assertEqual(self.checker.calls[1:], [("forget", "anna")])
        (refusal, reply) = anna.texts()
        self.assertIn(b"access denied to channel jobs for resource id 2", refusal)
        self.assertIn(b'"groups_left": ["jobs-2"]', reply)
        self.successResultOf(server.source.revoke(Revocation("anna")))
        anna.pump()
        berta.pump()
        self.assertEqual((anna.close_code, berta.close_code), (1008, None))

    def test_settings(self) -> None:
        """Every option gets where it is read."""
        settings = self.start(
            "--trusted-proxy=10.0.0.0/8",
            "--trusted-proxy=unix",
            "--max-connections-per-address=5",
            "--max-connections-per-user=6",
            "--max-handshakes=7",
            "--subscribe-timeout=8",
            "--recheck=9",
        ).clients.settings
        self.assertFalse(settings.guard_rebinding)
        self.assertEqual(settings.trusted_proxies, Proxies(["10.0.0.0/8", "unix"]))
        self.assertEqual(
            (
                settings.max_connections_per_address,
                settings.max_connections_per_user,
                settings.max_handshakes,
                settings.limits.subscribe_within,
                settings.limits.recheck_every,
            ),
            (5, 6, 7, 8, 9),
        )
