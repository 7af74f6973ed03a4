"""``--auth jwt``: keys over real connections, and tokens at a real server."""

import atexit
import functools
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from tests.auth.jwt import issuer
from tests.auth.jwt.issuer import jwk, jwk_set, new_key, public_pem
from tests.certificates import make_server_certificate
from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, Client
from tests.integration.loopback import wait_until
from tests.integration.server import ServerProcess
from towerws.auth.handshake import Handshake
from towerws.auth.jwt import jwks
from towerws.auth.jwt.arguments import make_checker
from towerws.auth.jwt.checker import JWTChecker
from towerws.core.metrics import Metrics


class KeyPage(Resource):
    """A page with a JWK set.

    Attributes:
        body: The set; None to leave requests without an answer.
        requests: How many there were.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.body: bytes | None = b""
        self.requests = 0

    def render_GET(self, request: Request) -> bytes | int:
        """Answer, or not."""
        self.requests += 1
        return NOT_DONE_YET if self.body is None else self.body


def make_token(key: issuer.PrivateKey | bytes, algorithm: str = "EdDSA", **claims: Any) -> str:
    """Make a token that is good for ten minutes from now on."""
    return issuer.make_token(key, algorithm, **{"exp": time.time() + 600} | claims)


class RemoteKeysTests(TestCase):
    """Keys from a site on loopback. What waits for seconds in earnest waits for none here."""

    timeout = 30

    def setUp(self) -> None:
        """Start the site."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.patch(jwks, "COOLDOWN", 0.0)
        self.page = KeyPage()
        self.site = Site(self.page)
        self.site.noisy = False
        self.key = new_key()
        self.page.body = jwk_set(jwk(self.key))
        self.listening = self.listen()
        self.port = self.listening.getHost().port

    def listen(self, port: int = 0) -> Any:
        """Listen with plain HTTP."""
        listening = self.reactor.listenTCP(port, self.site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        return listening

    def checker(self, *more: str, url: str | None = None) -> JWTChecker:
        """Make a checker for the keys of the site."""
        url = url or f"http://127.0.0.1:{self.port}/jwks.json"
        checker = make_checker(",".join([f"jwks={url}", *more]))
        checker.attach(self.reactor, Metrics())
        self.addCleanup(checker.detach)
        return checker

    def ask(self, checker: JWTChecker, key: issuer.PrivateKey) -> Deferred[str]:
        """Show a token, and give the user, or the name of what it fails with."""
        headers = {"authorization": f"Bearer {make_token(key)}"}
        asking: Deferred[Any] = checker.requestAvatarId(Handshake("/", "", headers))
        return asking.addCallbacks(
            lambda user: str(user.user), lambda failure: failure.type.__name__
        )

    async def test_rotation(self) -> None:
        """A token with the next key is good as soon as the site has it, and the old one no more."""
        checker, next_key = self.checker(), new_key()
        self.assertEqual(await self.ask(checker, self.key), "alice")
        self.assertEqual(await self.ask(checker, next_key), "UnauthorizedLogin")
        self.page.body = jwk_set(jwk(next_key))
        self.assertEqual(await self.ask(checker, next_key), "alice")
        self.assertEqual(await self.ask(checker, self.key), "UnauthorizedLogin")

    async def test_away(self) -> None:
        """When the site is away the keys stay; without any, nobody can be told from anybody."""
        checker = self.checker()
        self.assertEqual(await self.ask(checker, self.key), "alice")
        await self.listening.stopListening()
        self.assertEqual(await self.ask(checker, self.key), "alice")
        late = self.checker()
        self.assertEqual(await self.ask(late, self.key), "Unavailable")
        self.listen(self.port)
        self.assertEqual(await self.ask(late, self.key), "alice")

    async def test_slow(self) -> None:
        """A site that does not answer is not waited for longer than the timeout."""
        self.page.body = None
        checker = self.checker("timeout=0.2")
        began = time.monotonic()
        asking = [self.ask(checker, self.key) for _ in range(5)]
        self.assertEqual([await each for each in asking], ["Unavailable"] * 5)
        self.assertLess(time.monotonic() - began, 2.5)
        self.assertEqual(self.page.requests, 1)

    async def test_too_large(self) -> None:
        """An answer without end is not read to its end."""
        self.page.body = jwk_set(jwk(self.key)) + b" " * (4 * jwks.MAX_BODY)
        self.assertEqual(await self.ask(self.checker(), self.key), "Unavailable")

    async def test_tls(self) -> None:
        """Over HTTPS the certificate counts."""
        directory = Path(self.mktemp())
        directory.mkdir()
        certificate = make_server_certificate(directory)
        context = DefaultOpenSSLContextFactory(certificate.keyfile, certificate.certfile)
        secure = self.reactor.listenSSL(0, self.site, context, interface="127.0.0.1")
        self.addCleanup(secure.stopListening)
        url = f"https://localhost:{secure.getHost().port}/jwks.json"
        known = self.checker(f"ca={certificate.cafile}", url=url)
        self.assertEqual(await self.ask(known, self.key), "alice")
        self.assertEqual(await self.ask(self.checker(url=url), self.key), "Unavailable")
        # The connections come to their end.
        await deferLater(self.reactor, 0.05)


@functools.cache
def _shared() -> tuple[Path, ServerProcess]:
    """Start the server that all tests below share, and give its key file."""
    directory = tempfile.TemporaryDirectory(prefix="towerws-keys-")
    path = Path(directory.name, "keys.pem")
    path.write_bytes(public_pem(new_key()))
    server = ServerProcess(f"--auth=jwt:key={path},cookie=token", "--recheck=1").start()
    atexit.register(_stop, directory, server, os.getpid())
    return path, server


def _stop(directory: tempfile.TemporaryDirectory[str], server: ServerProcess, owner: int) -> None:
    # A child made by os.fork inherits the registration, but not the server.
    if os.getpid() == owner:
        server.stop()
        directory.cleanup()


class ServerTests(ServerCase):
    """Tokens at a server, with a key of each test's own."""

    def setUp(self) -> None:
        """Put a new key into the file, and wait until the server has read it."""
        self.path, server = _shared()
        self.server = self.use(server)
        self.key = new_key()
        self.change_key(self.key)

    def change_key(self, key: issuer.PrivateKey) -> None:
        """Replace the file, as an operator does."""
        read = self.server.log().count("key(s) for tokens")
        self.path.write_bytes(public_pem(key))
        os.kill(self.server.pid, signal.SIGHUP)
        wait_until(
            lambda: self.server.log().count("key(s) for tokens") > read, PATIENCE, "not read again"
        )

    def test_places(self) -> None:
        """A client shows its token in any of three places, and hears what it allows."""
        token = make_token(self.key, sub=5, csrf="page")
        shown: tuple[dict[str, Any], ...] = (
            {"headers": {"Authorization": f"Bearer {token}"}},
            {"subprotocols": ["towerws.awx", f"bearer.{token}"]},
            {"headers": {"Cookie": f"token={token}"}},
        )
        for options in shown:
            client = self.client(self.server, **options)
            self.assertEqual(client.greeting, {"accept": True, "user": 5})
            client.send({"groups": {"jobs": ["x"], "job_events": [42, 43]}, "xrftoken": "page"})
            self.assertEqual(
                client.receive_json(),
                {"error": "access denied to channel job_events for resource id 43"},
            )
            reply = client.receive_json()
            self.assertEqual(reply["groups_current"], ["job_events-42", "jobs-x"])
        self.assertNotIn(token.rpartition(".")[2], self.server.log())

    def test_csrf_token(self) -> None:
        """One whose token is in a cookie has to show that the page is the application's."""
        cookie = {"Cookie": f"token={make_token(self.key, csrf='page')}"}
        client = self.client(self.server, headers=cookie)
        client.send({"groups": {"jobs": ["x"]}})
        self.assertEqual(client.receive_json(), {"error": "access denied to channel"})

    def test_refused(self) -> None:
        """Everybody else is turned away, and the log says why."""
        for token in (make_token(new_key()), make_token(self.key, exp=time.time() - 60), "x"):
            client = Client(self.server.websocket_url, headers={"Authorization": f"Bearer {token}"})
            self.addCleanup(client.close)
            self.assertEqual(client.greeting, {"close": True})
            self.assertEqual(client.wait_closed(), 1000)
        self.server.wait_for_log("refused a token: its signature is wrong")
        self.server.wait_for_log("refused a token: it has expired")

    def test_expires(self) -> None:
        """When the token's time is over, so is the connection."""
        token = make_token(self.key, exp=time.time() - 29)
        client = self.client(self.server, headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(client.greeting, {"accept": True, "user": "alice"})
        self.assertEqual(client.wait_closed(), 4401)

    def test_key_withdrawn(self) -> None:
        """When the key is withdrawn, so are the connections, at the next look."""
        headers = {"Authorization": f"Bearer {make_token(self.key)}"}
        client = self.client(self.server, headers=headers)
        self.change_key(new_key())
        self.assertEqual(client.wait_closed(), 4401)
