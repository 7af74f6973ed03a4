"""Starting, stopping and operating the real server as twistd's users do."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, Client
from tests.integration.guard import Guard
from tests.integration.loopback import listens, wait_until
from tests.integration.raw import RawClient
from tests.integration.server import (
    ServerProcess,
    clean_environment,
    shared_server,
    twistd,
)

#: Longest time for a command that ends by itself, in seconds; each takes about one.
_COMMAND_TIMEOUT = 30

#: twist, twistd's younger sister, which does not daemonize.
_TWIST = (sys.executable, "-m", "twisted", "--log-format=text")


class DaemonTests(ServerCase):
    """In the background, with a pid file."""

    def test_daemon(self) -> None:
        """It starts, serves, ends by SIGTERM, and leaves nothing but its log."""
        guarded = Path(tempfile.mkdtemp(prefix="towerws-test-"))
        guard = Guard(guarded)
        self.addCleanup(guard.end)
        directory = guarded / "files"
        directory.mkdir()
        pidfile, logfile = directory / "pid", directory / "log"
        server = ServerProcess()  # for its ports and options; never started as a child
        done = _run(
            twistd(), "--pidfile", pidfile, "--logfile", logfile, "towerws", *server.options
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pid = int(pidfile.read_text())
        guard.note(pid)
        self.addCleanup(_kill, pid)
        wait_until(lambda: listens(server.port), PATIENCE, "the daemon does not listen")
        client = Client(server.websocket_url)
        self.addCleanup(client.close)
        client.subscribe(daemon=[1])
        self.assertEqual(server.emit("daemon-1", b"{}"), (202, {"connections": 1}))
        self.assertEqual(client.receive(), b"{}")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(client.wait_closed(), 1012)
        wait_until(lambda: not pidfile.exists(), PATIENCE, "the pid file is there")
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), PATIENCE, "the daemon is there")
        self.assertEqual([path.name for path in directory.iterdir()], ["log"])
        self.assertIn("Server Shut Down", logfile.read_text())
        self.assertNotIn("Traceback", logfile.read_text())

    def test_second_daemon(self) -> None:
        """A daemon that cannot listen says so to who starts it."""
        server = self.use(shared_server())
        directory = tempfile.TemporaryDirectory(prefix="towerws-test-")
        self.addCleanup(directory.cleanup)
        pidfile, logfile = Path(directory.name) / "pid", Path(directory.name) / "log"
        done = _run(
            twistd(), "--pidfile", pidfile, "--logfile", logfile, "towerws", *server.options
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot listen on tcp:", done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stdout + done.stderr)


class TwistTests(ServerCase):
    """``twist towerws``."""

    def test_twist(self) -> None:
        """It serves, and stops as twistd does."""
        server = self.start_server(command=_TWIST)
        client = self.client(server)
        client.subscribe(twist=[1])
        self.assertEqual(server.emit("twist-1", b"{}"), (202, {"connections": 1}))
        self.assertEqual(client.receive(), b"{}")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(client.wait_closed(), 1012)


class WrongStartTests(ServerCase):
    """What cannot be started ends with one sentence and status 1."""

    def refused(self, *options: str, log: bool = False, **environment: str) -> str:
        """Start a server that must not start, with twistd and with twist.

        Args:
            *options: Of ``towerws``.
            log: The logger has taken over by then, which twistd lets have standard error as well.
            **environment: Variables.

        Returns:
            The sentence.
        """
        sentences: set[str] = set()
        for command in ((twistd(), "--nodaemon", "--pidfile="), _TWIST):
            done = _run(*command, "towerws", *options, **environment)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertNotIn("Traceback", done.stdout + done.stderr)
            written = done.stdout + done.stderr if log else done.stderr
            (sentence,) = re.findall(r"(?:^|#error\] )(towerws: .+)\n", written, re.MULTILINE)
            self.assertTrue(log or sentence == done.stderr.strip(), done.stderr)
            sentences.add(sentence)
        (sentence,) = sentences
        return sentence

    def test_wrong_options(self) -> None:
        """An option that is not there, or has a value that cannot be."""
        self.assertIn("--nonsense", self.refused("--nonsense"))
        self.assertIn("max-groups", self.refused("--max-groups", "many"))

    def test_wrong_endpoints(self) -> None:
        """Endpoint strings that are none, and listeners that anybody could reach."""
        self.assertIn(
            "nonsense:1", self.refused("--listen", "unix:x", "--operations", "nonsense:1")
        )
        self.assertIn("other machines", self.refused("--listen", "tcp:8051"))

    def test_wrong_broker(self) -> None:
        """A broker's URL, whose password is not repeated."""
        sentence = self.refused(TOWERWS_BROKER="http://guest:hunter2@localhost")
        self.assertIn("amqp://", sentence)
        self.assertNotIn("hunter2", sentence)

    def test_port_in_use(self) -> None:
        """A port where somebody listens, whichever of the two it is."""
        other = self.use(shared_server())
        self.assertIn("cannot listen on tcp:", self.refused(*other.options, log=True))
        free = ServerProcess()
        mixed = (*free.options[:2], *other.options[2:])
        self.assertIn("cannot listen on tcp:", self.refused(*mixed, log=True))


class HostileOperationsTests(ServerCase):
    """Requests to the operators' site that no operator makes."""

    def setUp(self) -> None:
        """Start the server if this is the first test that needs it."""
        self.server = self.use(shared_server())
        self.addCleanup(self._still_works)

    def _still_works(self) -> None:
        self.assertEqual(self.server.emit("hostile-1", b"{}")[0], 202)

    def refused(
        self, status: int, payload: bytes = b"{}", group: str = "x-1", **headers: str
    ) -> str:
        """Make a request that must be refused; give the sentence."""
        given = {"Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        got, answer = self.server.request("POST", f"/emit/{group}", payload, given)
        self.assertEqual(got, status, answer)
        sentence: str = json.loads(answer)["error"]
        return sentence

    def test_refusals(self) -> None:
        """Each kind of refusal has its status, and a sentence in JSON."""
        self.refused(400, b"NaN")
        self.refused(400, b"[]")
        self.refused(400, b"")
        self.refused(400, b"\xff\xfe")
        self.refused(400, b"[" * 100_000)
        for group in ("", "x%20y", "%00", "$sys", "a/b", "../health", "x" * 101, "%ff", "%C3%A9"):
            self.refused(400, group=group)
        self.refused(403, Origin="http://127.0.0.1:8052")
        self.refused(403, Origin="null")
        self.refused(415, Content_Type="text/plain")
        self.refused(413, b'{"x": "' + b"x" * (1 << 24) + b'"}')
        self.assertEqual(self.server.request("PUT", "/emit/x-1", b"{}")[0], 405)
        self.assertEqual(self.server.get("/emit/x-1")[0], 405)
        self.assertEqual(self.server.get("/nothing")[0], 404)
        self.assertEqual(self.server.get("/ready/%2e%2e/x")[0], 200)

    def test_endless_body(self) -> None:
        """A body that is announced without a length is not kept beyond the limit."""
        server = self.start_server("--max-event", "1000")
        connection = http.client.HTTPConnection("127.0.0.1", server.operations_port, timeout=10)
        self.addCleanup(connection.close)
        before = server.resident_bytes()
        chunks = (b"x" * 65536 for _ in range(1000))
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/emit/x-1", chunks, headers, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 413)
        self.assertLess(server.resident_bytes() - before, 16 << 20)

    def test_not_http(self) -> None:
        """Whatever is no HTTP is answered with 400 or not at all."""
        requests = [
            b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
            b"AMQP\x00\x00\x09\x01\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /metrics HTTP/9.9\r\n\r\n",
            b"POST /emit/x-1 HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST /emit/x-1 HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"POST /emit/x-1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 10_000 + b"\r\n",
        ]
        for request in requests:
            client = RawClient(self.server.operations_port)
            self.addCleanup(client.close)
            client.send(request)
            # Some are answered and would be waited for until they are too long without a word.
            client.sock.shutdown(socket.SHUT_WR)
            try:
                answer = client.read_to_end()
            except ConnectionResetError:
                answer = b""
            self.assertTrue(re.match(rb"\Z|HTTP/1.1 [45]", answer), (request[:80], answer))

    def test_gone(self) -> None:
        """A client that leaves before its request is complete, or answered, is no trouble."""
        head = b"POST /emit/x-1 HTTP/1.1\r\nContent-Type: application/json\r\n"
        head += b"Content-Length: 2\r\n\r\n"
        for request in (head[:30], head, head + b"{", head + b"{}", (head + b"{}") * 50):
            client = RawClient(self.server.operations_port)
            client.send(request)
            client.close()


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself, away from the checkout."""
    with tempfile.TemporaryDirectory(prefix="towerws-test-") as directory:
        return subprocess.run(
            [str(part) for part in command],
            cwd=directory,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=_COMMAND_TIMEOUT,
        )


def _kill(pid: int) -> None:
    """End a daemon for sure; that it is gone already is what is expected."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
