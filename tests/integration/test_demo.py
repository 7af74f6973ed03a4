"""The commands as users run them: as processes, against the real server."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.certificates import make_server_certificate
from tests.integration.case import ServerCase
from tests.integration.commands import TOWERWS, Command, run_command
from tests.integration.loopback import free_ports, listens
from tests.integration.server import ServerProcess, clean_environment, shared_server
from towerws.cli.demo import DEFAULT_PORTS
from towerws.cli.recording import shipped
from towerws.cli.stage import is_free


class CommandCase(ServerCase):
    """A test that starts commands."""

    def command(self, *arguments: str, **environment: str) -> Command:
        """Start a command that is stopped when the test ends."""
        command = Command(*arguments, **environment)
        self.addCleanup(command.stop)
        return command

    def listen(self, url: str, *arguments: str, **environment: str) -> Command:
        """Start to listen, and wait until the subscription is in force."""
        command = self.command("listen", *arguments, "--url", url, **environment)
        command.wait_for("towerws: listening to")
        return command


class DemoTests(CommandCase):
    """`towerws demo`."""

    def test_demo(self) -> None:
        """Every event arrives in order, the status is 0, and nothing keeps running."""
        status, stdout, stderr = run_command("demo", "--speed", "20")
        lines = stdout.splitlines()
        count = len(shipped())
        self.assertEqual((status, stderr), (0, ""))
        self.assertEqual(len(lines), count + 2)
        self.assertEqual(lines[-1], f"{count} of {count} events arrived, in order")
        self.assertNotIn("\x1b", stdout)
        port = int(lines[0].rpartition(":")[2].partition("/")[0])
        self.assertFalse(listens(port))

    def test_forever(self) -> None:
        """A second terminal hears the job; Ctrl-C ends everything with status 0."""
        if not all(map(is_free, DEFAULT_PORTS)):
            if os.environ.get("CI") == "true":
                self.fail(f"a port of {DEFAULT_PORTS} is in use")
            raise SkipTest(f"a port of {DEFAULT_PORTS} is in use")
        demo = self.command("demo", "--forever", "--speed", "20")
        demo.wait_for("Ctrl-C ends it.")
        status, stdout, _ = run_command(
            "listen", "jobs-status_changed", "job_events-42", "--count", "5", "--for", "20"
        )
        self.assertEqual(status, 0)
        self.assertEqual(len(stdout.splitlines()), 5)
        demo.interrupt()
        self.assertEqual(demo.wait(), 0, demo.stderr)
        self.assertNotIn("Traceback", demo.stderr)
        self.assertTrue(all(map(is_free, DEFAULT_PORTS)))

    def test_port_in_use(self) -> None:
        """With a port in use it ends with one sentence and status 1."""
        with contextlib.ExitStack() as stack:
            if is_free(DEFAULT_PORTS[0]):
                stack.enter_context(socket.create_server(("127.0.0.1", DEFAULT_PORTS[0])))
            status, stdout, stderr = run_command("demo", "--forever")
        self.assertEqual((status, stdout), (1, ""))
        self.assertEqual(stderr, "towerws demo: port 8051 is in use; does a server run already?\n")


class ListenTests(CommandCase):
    """`towerws listen`, with `towerws emit` and `towerws replay` at the other end."""

    def setUp(self) -> None:
        """Use the server that all tests share."""
        self.server = self.use(shared_server())

    def emit(self, group: str, payload: str, text: str = "") -> None:
        """Publish with the command."""
        url = self.server.operations_url
        done = run_command("emit", group, payload, "--url", url, text=text)
        self.assertEqual(done, (0, "", ""))

    def test_events(self) -> None:
        """What was emitted is printed as JSON lines, and after enough of them it ends."""
        listening = self.listen(self.server.websocket_url, "demo-a", "demo-b", "--count", "3")
        self.emit("demo-a", '{"a": "é"}')
        self.emit("demo-c", '{"c": 1}')
        self.emit("demo-b", "-", '{"b": [1.5, null]}\n')
        self.server.emit("demo-a", b'{\n"raw":"\xc3\xa9"}')
        self.assertEqual(listening.wait(), 0)
        self.assertEqual(listening.stdout, '{"a": "\\u00e9"}\n{"b": [1.5, null]}\n{ "raw":"é"}\n')

    def test_replay(self) -> None:
        """A recorded job comes as it was recorded, at its own pace."""
        events = [
            {"t": number / 10, "group": "demo-replay", "event": {"n": number}}
            for number in range(4)
        ]
        recording = "".join(json.dumps(event) + "\n" for event in events)
        listening = self.listen(self.server.websocket_url, "demo-replay", "--count", "4")
        status, stdout, stderr = run_command(
            "replay", "-", "--url", self.server.operations_url, text=recording
        )
        self.assertEqual((status, stderr), (0, ""))
        self.assertTrue(stdout.startswith("4 events published in 0."), stdout)
        self.assertGreaterEqual(float(stdout.split()[-2]), 0.3)
        self.assertEqual(listening.wait(), 0)
        self.assertEqual(listening.stdout.splitlines(), [f'{{"n": {n}}}' for n in range(4)])

    def test_not_published(self) -> None:
        """A server that is not there, and a group that cannot be: a sentence and status 1."""
        (port,) = free_ports(1)
        for group, url in (
            ("demo-a", f"http://127.0.0.1:{port}"),
            ("$control", self.server.operations_url),
        ):
            status, stdout, stderr = run_command("emit", group, "{}", "--url", url)
            self.assertEqual((status, stdout), (1, ""))
            self.assertRegex(stderr, r"\Atowerws emit: .+\n\Z")

    def test_interrupted(self) -> None:
        """Ctrl-C ends quietly with status 130."""
        listening = self.listen(self.server.websocket_url, "demo-a")
        listening.interrupt()
        self.assertEqual(listening.wait(), 130)
        self.assertEqual(len(listening.stderr.splitlines()), 1)

    def test_closed_pipe(self) -> None:
        """A reader that has enough, as ``head``, ends it quietly."""
        directory = Path(self.mktemp())
        directory.mkdir()
        errors, status = directory / "errors", directory / "status"
        arguments = ("listen", "demo-pipe", "--url", self.server.websocket_url, "--for", "20")
        command = f'{{ "$@" 2>{errors}; echo $? >{status}; }} | head -n 1'
        listening = subprocess.Popen(
            ["sh", "-c", command, "sh", *TOWERWS, *arguments],
            env=clean_environment(),
            stdout=subprocess.PIPE,
        )
        self.addCleanup(listening.communicate)
        for _ in range(200):
            self.server.emit("demo-pipe", b'{"a": 1}')
            with contextlib.suppress(subprocess.TimeoutExpired):
                listening.wait(0.1)
                break
        self.assertEqual(listening.communicate(timeout=20)[0], b'{"a": 1}\n')
        self.assertEqual(status.read_text(), "141\n")
        self.assertEqual(len(errors.read_text().splitlines()), 1, errors.read_text())

    def test_time_over(self) -> None:
        """Events that do not come in time make the status 1."""
        url = self.server.websocket_url
        status, stdout, _ = run_command(
            "listen", "demo-silence", "--url", url, "--count", "1", "--for", "0.5"
        )
        self.assertEqual((status, stdout), (1, ""))

    def test_wrong_path(self) -> None:
        """A URL without a websocket behind it is not tried again."""
        url = self.server.websocket_url + "nowhere"
        status, _, stderr = run_command("listen", "demo-a", "--url", url)
        self.assertEqual(status, 1)
        self.assertIn("towerws listen: the server refuses the handshake: HTTP 404", stderr)


class OtherListenersTests(CommandCase):
    """`towerws listen` by other ways than plain TCP, and when the server goes away."""

    def directory(self) -> Path:
        """Make a directory with a short name, as sockets need, that is removed at the end."""
        directory = Path(tempfile.mkdtemp(prefix="towerws-"))
        self.addCleanup(shutil.rmtree, directory)
        return directory

    def test_restart(self) -> None:
        """It waits for the server, survives its restart, and hears what comes then.

        Between the two, events may be missing that only the first one had: that is told.
        """
        first, second = ServerProcess(), ServerProcess()
        second.options, second.port = first.options, first.port
        second.operations_port = first.operations_port
        listening = self.command("listen", "demo-a", "--url", first.websocket_url, "--count", "2")
        listening.wait_for("connecting again in")
        for number, server in enumerate((first, second)):
            self.addCleanup(server.stop)
            self.use(server.start())
            listening.wait_for("listening to demo-a", times=number + 1)
            server.emit("demo-a", b'{"n": %d}' % number)
            if server is first:
                listening.wait_for('{"n": 0}')
                server.stop()
        self.assertEqual(listening.wait(), 0)
        self.assertEqual(listening.stdout, '{"n": 0}\n{"n": 1}\n')
        self.assertEqual(listening.stderr.count("towerws: gap: "), 1, listening.stderr)

    def test_tls(self) -> None:
        """TLS works with a certificate that is trusted, and not with another one."""
        certificate = make_server_certificate(self.directory())
        (port,) = free_ports(1)
        server = self.start_server(
            "--listen",
            f"ssl:{port}:interface=127.0.0.1:privateKey={certificate.keyfile}"
            f":certKey={certificate.certfile}",
        )
        url = f"wss://localhost:{port}/websocket/"
        listening = self.listen(url, "demo-tls", "--count", "1", SSL_CERT_FILE=certificate.cafile)
        distrustful = self.command("listen", "demo-tls", "--url", url)
        distrustful.wait_for("certificate verify failed")
        server.emit("demo-tls", b'{"a": 1}')
        self.assertEqual(listening.wait(), 0)
        self.assertEqual((listening.stdout, distrustful.stdout), ('{"a": 1}\n', ""))

    def test_unix_socket(self) -> None:
        """A Unix socket works like a port."""
        path = self.directory() / "socket"
        server = self.start_server("--listen", f"unix:{path}")
        listening = self.listen(f"ws+unix://{path}", "demo-unix", "--count", "1")
        server.emit("demo-unix", b'{"a": 1}')
        self.assertEqual(listening.wait(), 0)
        self.assertEqual(listening.stdout, '{"a": 1}\n')
