"""No secret comes to light: not in a log, an answer, a metric, nor in what ``ps`` shows."""

import base64
import http.client
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
from websockets.exceptions import InvalidStatus

from tests.integration.case import ServerCase
from tests.integration.clients import Client
from tests.integration.commands import Command
from tests.integration.loopback import free_ports, wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess
from tests.integration.test_workers import workers_of

#: Each of a kind, with characters that have to be escaped here or there.
_BROKER_PASSWORD = "Br0k3r-p/ss:w@rd+Qe7Zt2Lx"
_OPERATORS_TOKEN = "0perat0rs-T0ken-Vw5Ks9Hd"
_WRONG_TOKEN = "Wr0ng-0perat0rs-Yp4Mn8Gc"
_KEY = "Signing-Key-Jf6Rb3Xo-Tq1Wm7Uz-Ea9Ck5Ns"
_SESSION = "S3ssion-Cookie-Ni2Dv8Py"
_CSRF = "Csrf-T0ken-Bh4Gl6Ow"
_COOKIE = "0ther-C00kie-Ux3Ie7Fa"

#: As long a piece of a secret as says nothing about it: this many characters in a row do.
_PIECE = 8


def _spellings(secret: str) -> Iterator[str]:
    """Write a secret in all ways in which it could be shown: as it is, and encoded."""
    yield secret
    yield quote(secret, safe="")
    yield secret.encode().hex()
    for start in range(3):
        # Of base64 the first and last characters depend on what stands around.
        yield base64.b64encode(b"?" * start + secret.encode()).decode()[4:-4]


def leaks(text: str, secrets: list[str]) -> list[str]:
    """Find pieces of secrets in a text.

    Args:
        text: Where to look.
        secrets: What must not be in it.

    Returns:
        The pieces that are.
    """
    spellings = itertools.chain.from_iterable(map(_spellings, secrets))
    pieces = {
        spelling[start : start + _PIECE]
        for spelling in spellings
        for start in range(len(spelling) - _PIECE + 1)
    }
    return sorted(piece for piece in pieces if piece.lower() in text.lower())


class SecretsTests(ServerCase):
    """A server that knows every kind of secret, and clients that show it more of them."""

    def setUp(self) -> None:
        """Write the key file, and sign tokens."""
        directory = tempfile.TemporaryDirectory(prefix="towerws-secrets-")
        self.addCleanup(directory.cleanup)
        self.key = Path(directory.name, "key")
        self.key.write_text(_KEY)
        claims: dict[str, Any] = {"sub": "7", "exp": time.time() + 600, "groups": ["jobs-*"]}
        self.good = jwt.encode(claims, _KEY, "HS256")
        self.bad = jwt.encode(claims, _KEY[::-1], "HS256")
        self.expired = jwt.encode(claims | {"exp": 1}, _KEY, "HS256")
        # Header and claims are no secrets, and the header is the same in all tokens.
        signatures = [token.rpartition(".")[2] for token in (self.good, self.bad, self.expired)]
        self.secrets = [
            *(_BROKER_PASSWORD, _OPERATORS_TOKEN, _WRONG_TOKEN, _KEY, _KEY[::-1]),
            *(_SESSION, _CSRF, _COOKIE),
            *signatures,
        ]
        self.seen: list[str] = []

    def start(self, *options: str) -> ServerProcess:
        """Start a server with everything; its brokers are away and refuse it."""
        (nobody,) = free_ports(1)
        password = quote(_BROKER_PASSWORD, safe="")
        hosts = f"127.0.0.1:{nobody},127.0.0.1:{shared_node().port}"
        return self.start_server(
            *("--auth", f"jwt:key={self.key},cookie=token"),
            # Asks nobody: the port is the one where nothing listens.
            *("--auth", f"session:url=http://127.0.0.1:{nobody}/"),
            *options,
            broker=f"amqp://guest:{password}@{hosts}",
            environment={"TOWERWS_TOKEN": _OPERATORS_TOKEN},
            until_ready=False,
        )

    def ask(self, server: ServerProcess, method: str, path: str, token: str, body: bytes) -> int:
        """Make a request to the operators' site, and keep the whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", server.operations_port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            self.seen += [str(answer.headers), answer.read().decode()]
            return answer.status
        finally:
            connection.close()

    def visit(self, server: ServerProcess) -> None:
        """Come with each token in each place, good and bad, and say what should not be said."""
        for token, good in ((self.good, True), (self.bad, False), (self.expired, False)):
            for options in (
                {"headers": {"Authorization": f"Bearer {token}", "Cookie": f"s={_COOKIE}"}},
                {"headers": {"Cookie": f"token={token}; sessionid={_SESSION}; csrftoken={_CSRF}"}},
                {"subprotocols": ["towerws.awx", f"bearer.{token}"]},
            ):
                self._connect(server, good, **options)

    def _connect(self, server: ServerProcess, good: bool, **options: Any) -> None:
        try:
            client = Client(server.websocket_url, **options)
        except InvalidStatus as error:
            self.assertFalse(good, error.response)
            response = error.response
            self.seen += [str(response.headers), bytes(response.body or b"").decode(), str(error)]
            return
        with_response = client.websocket.response
        assert with_response is not None
        self.seen += [str(with_response.headers), json.dumps(client.greeting)]
        if good:
            self.assertEqual(client.greeting["user"], "7")
            for frame in ({"groups": {"jobs": [{}]}, "xrftoken": _CSRF}, [_SESSION], {_CSRF: 1}):
                client.send(frame)
            self.seen.append(json.dumps(client.receive_json()))
        client.close()

    def operate(self, server: ServerProcess) -> None:
        """Ask for everything at the operators' site, with the token and with a wrong one."""
        for token, good in ((_OPERATORS_TOKEN, True), (_WRONG_TOKEN, False)):
            self.assertEqual(self.ask(server, "GET", "/metrics", token, b""), 200 if good else 403)
            for path in ("/ready", f"/{_WRONG_TOKEN}", "/health"):
                self.ask(server, "GET", path, token, b"")
            for path in ("/emit/jobs-1", "/emit/-", "/revoke"):
                self.ask(server, "POST", path, token, b'{"user": "7"}')

    def commands(self, server: ServerProcess) -> None:
        """Run the commands that are given secrets, and see what they show of themselves."""
        listen = ("listen", "--url", server.websocket_url, "--for", "1", "jobs-1")
        password = quote(_BROKER_PASSWORD, safe="")
        broker = f"amqp://guest:{password}@127.0.0.1:{shared_node().port}"
        commands = [
            Command(*arguments, TOWERWS_TOKEN=_OPERATORS_TOKEN, TOWERWS_URL=url, **more)
            for url in (server.operations_url, broker)
            for arguments, more in (
                (("emit", "jobs-1", "{}"), {}),
                (("revoke", "--user", "7"), {}),
                (listen, {"TOWERWS_COOKIE": f"token={self.bad}; csrftoken={_CSRF}"}),
                (listen, {"TOWERWS_BEARER": self.bad}),
            )
        ]
        try:
            while any(command.running for command in commands):
                for command in commands:
                    self._see_process(command.pid)
                time.sleep(0.05)
            for command in commands:
                self.assertNotEqual(command.stdout + command.stderr, "")
                self.seen += [command.stdout, command.stderr]
        finally:
            for command in commands:
                command.stop()
        self.assertIn("revoke\0--user\x007\0", "".join(self.seen), "no command line was seen")

    def _see_process(self, pid: int) -> None:
        try:
            self.seen.append(Path(f"/proc/{pid}/cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError):
            pass

    def check(self, server: ServerProcess, *pids: int) -> None:
        """Look at all that was seen, and at what the server has written and shows of itself."""
        for pid in (server.pid, *pids):
            self._see_process(pid)
        server.stop()
        log = server.log()
        self.assertIn("ACCESS_REFUSED", log)
        for text in [log, *self.seen]:
            self.assertEqual(leaks(text, self.secrets), [], text)

    def test_one_process(self) -> None:
        """The server by itself, and the commands."""
        server = self.start()
        self.visit(server)
        self.operate(server)
        self.commands(server)
        server.wait_for_log("ACCESS_REFUSED")
        self.check(server)

    def test_workers(self) -> None:
        """With workers, whose options and whose log come and go by pipes."""
        server = self.start("--workers", "2")
        wait_until(lambda: len(workers_of(server)) == 2, 20, "there are no two workers")
        self.visit(server)
        self.operate(server)
        server.wait_for_log("ACCESS_REFUSED")
        self.check(server, *workers_of(server))


class LeaksTests(ServerCase):
    """`leaks` finds what it looks for."""

    def test_found(self) -> None:
        """A secret as it is, a piece of it, and encodings of it; and nothing else."""
        secret = "Secr3t-p/ss:w@rd"
        for text in (
            f"amqp://guest:{secret}@host",
            "... p/ss:w@r ...",
            quote(secret, safe=""),
            repr(secret.encode().hex()),
            base64.b64encode(f"guest:{secret}".encode()).decode(),
            secret.upper(),
        ):
            self.assertTrue(leaks(text, [secret]), text)
        self.assertEqual(leaks("no secret here: p/ss:w@", [secret]), [])
