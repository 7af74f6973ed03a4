"""`towerws demo`, with server and replay played by the tests."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Network, Terminal
from tests.client.memory import ACCEPT, ServerEnd, end, joined
from towerws.cli import demo, main
from towerws.cli.demo import ARRIVAL_TIMEOUT, DEFAULT_PORTS, START_TIMEOUT, Witness
from towerws.cli.errors import CommandError
from towerws.cli.output import EventPrinter, Style
from towerws.cli.recording import shipped
from towerws.client import Event

PAYLOADS = [json.dumps(each.event).encode() for each in shipped()]


class WitnessTests(SynchronousTestCase):
    """`Witness` compares what arrives with what was to arrive."""

    def setUp(self) -> None:
        """Expect three events."""
        self.stdout = Terminal()
        printer = EventPrinter(self.stdout, Style(True, False, False))
        self.witness = Witness([b"[1]", b"[2]", b"[3]"], printer)

    def hear(self, *payloads: bytes) -> Witness:
        """Let events arrive."""
        for payload in payloads:
            self.witness.event(Event(None, None, payload, None))
        return self.witness

    def test_all(self) -> None:
        """Everything in order is the only good outcome."""
        witness = self.hear(b"[1]", b"[2]")
        self.assertNoResult(witness.complete)
        self.hear(b"[3]")
        self.successResultOf(witness.complete)
        self.assertTrue(witness.content)
        self.assertEqual(witness.verdict(), "3 of 3 events arrived, in order")
        self.assertEqual(self.stdout.written, b"[1]\n[2]\n[3]\n")

    def test_missing(self) -> None:
        """A missing event is counted."""
        witness = self.hear(b"[1]", b"[3]")
        self.assertFalse(witness.content)
        self.assertEqual(witness.verdict(), "2 of 3 events arrived, NOT as they were published")

    def test_order(self) -> None:
        """Order counts."""
        self.assertFalse(self.hear(b"[2]", b"[1]", b"[3]").content)

    def test_doubled_and_changed(self) -> None:
        """An event that comes twice, or with a byte changed, is too much."""
        witness = self.hear(b"[1]", b"[1]", b"[ 2]", b"[3]")
        self.assertFalse(witness.content)
        self.assertIn("2 of 3 events arrived, and 2 that were not published", witness.verdict())

    def test_joined_again(self) -> None:
        """A second subscription, after the connection was lost, is no fault by itself."""
        self.witness.joined(["a-b"])
        self.witness.joined(["a-b"])
        self.successResultOf(self.witness.ready)

    def test_notice(self) -> None:
        """What else happened is told on standard error."""
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        self.witness.notice("away")
        self.witness.gap("back")
        self.assertEqual(stderr.getvalue(), "towerws: away\ntowerws: gap: back\n")


class Performance(SynchronousTestCase):
    """What both kinds of demo have in common."""

    def setUp(self) -> None:
        """Have nothing running yet."""
        self.network = Network(self)
        self.reactor = self.network.reactor
        self.stdout, self.stderr = Terminal(), io.StringIO()
        self.patch(sys, "stderr", self.stderr)

    def accept_ports(self) -> Sequence[int]:
        """Let the server accept connections on both its ports."""
        for _ in range(2):
            self.network.accept_silently()
        return [port for _, port, *_ in self.reactor.tcpClients[:2]]


class DemoTests(Performance):
    """The demo that ends by itself."""

    def demo(self, speed: float = 0.0) -> Deferred[int]:
        """Start it."""
        running = Deferred.fromCoroutine(demo.demo(self.reactor, speed, self.stdout))
        self.addCleanup(end, running)
        return running

    def begin(self) -> ServerEnd:
        """Let it come to the point where the replay has been started."""
        self.accept_ports()
        server = self.network.accept()
        server.send(ACCEPT, joined("job_events-42"))
        return server

    def finish(self, server: ServerEnd) -> None:
        """Let the listener's goodbye be answered."""
        server.pump.flush()

    def test_success(self) -> None:
        """Everything arrives: the verdict is the last line, the status 0, and all has ended."""
        running = self.demo()
        server = self.begin()
        self.assertEqual(
            json.loads(server.frames[0]),
            {
                "groups": {
                    "job_events": ["42"],
                    "jobs": ["status_changed", "summary"],
                    "schedules": ["changed"],
                }
            },
        )
        server.send(*PAYLOADS)
        self.reactor.processes[1].end(0)
        self.finish(server)
        self.assertEqual(self.successResultOf(running), 0)
        lines = self.stdout.written.decode().splitlines()
        self.assertEqual(len(lines), len(PAYLOADS) + 2)
        self.assertEqual(lines[-1], f"{len(PAYLOADS)} of {len(PAYLOADS)} events arrived, in order")
        self.assertEqual(self.reactor.processes[0].signals, ["TERM"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_commands(self) -> None:
        """Server and replay are started on loopback, with the ports that the server has."""
        self.demo(speed=4.0)
        websocket, operations = self.accept_ports()
        server = self.network.accept()
        server.send(ACCEPT, joined("job_events-42"))
        started, replayed = (" ".join(each.arguments[1:]) for each in self.reactor.processes)
        self.assertEqual(
            started,
            "-m twisted --log-format=text towerws "
            f"--listen tcp:{websocket}:interface=127.0.0.1 "
            f"--operations tcp:{operations}:interface=127.0.0.1",
        )
        self.assertEqual(
            replayed, f"-m towerws replay --speed 4.0 --url http://127.0.0.1:{operations}"
        )

    def test_event_missing(self) -> None:
        """An event that does not come is waited for a while; then the status is 1."""
        running = self.demo()
        server = self.begin()
        server.send(*PAYLOADS[:-1])
        self.reactor.processes[1].end(0)
        self.reactor.advance(ARRIVAL_TIMEOUT)
        self.finish(server)
        self.assertEqual(self.successResultOf(running), 1)
        self.assertIn("the arrival of the last event takes longer", self.stderr.getvalue())
        self.assertIn(b"NOT as they were published", self.stdout.written)

    def test_server_fails(self) -> None:
        """A server that ends is trouble; what it wrote is shown."""
        running = self.demo()
        self.reactor.processes[0].write(b"oh no\n", 2)
        self.reactor.processes[0].end(1)
        error = self.failureResultOf(running, CommandError).value
        self.assertEqual(str(error), "the server ended with status 1: oh no")
        self.assertEqual(self.stderr.getvalue(), "--- what the server wrote ---\noh no\n")

    def test_server_does_not_start(self) -> None:
        """A server that never listens is given up, and ended."""
        running = self.demo()
        for _ in range(int(START_TIMEOUT / 0.5)):
            self.network.refuse()
            self.reactor.advance(0.5)
        error = self.failureResultOf(running, CommandError).value
        self.assertIn("the start of the server takes longer than 20 s", str(error))
        self.assertEqual(self.reactor.processes[0].signals, ["TERM"])

    def test_replay_fails(self) -> None:
        """A replay that cannot publish is trouble."""
        running = self.demo()
        server = self.begin()
        self.reactor.processes[1].write(b"towerws replay: event 1: no\n", 2)
        self.reactor.processes[1].end(1)
        self.finish(server)
        error = self.failureResultOf(running, CommandError).value
        self.assertIn("the replay ended with status 1: towerws replay: event 1: no", str(error))

    def test_replay_hangs(self) -> None:
        """A replay that takes much longer than its schedule is given up."""
        running = self.demo(speed=27.0)
        server = self.begin()
        for _ in range(21):
            self.assertNoResult(running)
            self.reactor.advance(1)
            server.pump.flush()
        self.failureResultOf(running, CommandError)
        self.assertEqual(self.reactor.processes[1].signals, ["TERM"])


class ForeverTests(Performance):
    """The demo that runs until Ctrl-C."""

    def setUp(self) -> None:
        """Have the default ports free, whatever this machine runs."""
        super().setUp()
        self.patch(demo, "is_free", lambda port: True)
        self.patch(sys, "stdout", self.stdout)

    def forever(self) -> Deferred[int]:
        """Start it."""
        running = Deferred.fromCoroutine(demo.forever(self.reactor, 1.0))
        self.addCleanup(end, running)
        return running

    def test_runs(self) -> None:
        """The server is on its default ports, the replay loops, and users learn what to type."""
        running = self.forever()
        self.reactor.processes[0].write(b"listening\n")
        self.assertEqual(self.accept_ports(), list(DEFAULT_PORTS))
        self.assertEqual(self.reactor.processes[1].arguments[-1], "--loop")
        invitation = self.stdout.written.decode()
        self.assertIn("ws://127.0.0.1:8051/websocket/", invitation)
        self.assertIn("listen jobs-status_changed job_events-42\n", invitation)
        self.assertEqual(self.stderr.getvalue(), "listening\n")
        self.assertNoResult(running)

    def test_interrupted(self) -> None:
        """Ctrl-C is its good end, and ends both processes."""
        running = self.forever()
        self.accept_ports()
        running.cancel()
        self.assertEqual(self.successResultOf(running), 0)
        self.assertEqual([each.signals for each in self.reactor.processes], [["TERM"]] * 2)

    def test_port_in_use(self) -> None:
        """A port that is in use is told, and nothing is started."""
        self.patch(demo, "is_free", lambda port: port != DEFAULT_PORTS[1])
        error = self.failureResultOf(self.forever(), CommandError).value
        self.assertEqual(str(error), "port 8052 is in use; does a server run already?")
        self.assertEqual(self.reactor.processes, [])

    def test_replay_ends(self) -> None:
        """A replay that ends, with whatever status, is trouble."""
        running = self.forever()
        self.accept_ports()
        self.reactor.processes[1].end(0)
        self.failureResultOf(running, CommandError)
        self.assertEqual(self.reactor.processes[0].signals, ["TERM"])


class RunTests(SynchronousTestCase):
    """The command line."""

    def test_speeds(self) -> None:
        """The demo hurries unless told otherwise; the loop does not."""
        seen: list[tuple[Any, ...]] = []

        async def record(*arguments: Any) -> int:
            seen.append(arguments[1:])
            return 0

        def run_in_reactor(body: Any) -> int:
            running: Deferred[int] = Deferred.fromCoroutine(body(None))
            return self.successResultOf(running)

        self.patch(demo, "demo", record)
        self.patch(demo, "forever", record)
        self.patch(demo, "run_in_reactor", run_in_reactor)
        for argv in (["demo"], ["demo", "--speed", "0"], ["demo", "--forever"]):
            self.assertEqual(main.main(argv), 0)
        self.assertEqual(main.main(["demo", "--forever", "--speed", "8"]), 0)
        self.assertEqual(seen, [(4.0, sys.stdout), (0.0, sys.stdout), (1.0,), (8.0,)])

    def test_own_name(self) -> None:
        """Users are told to type what works from where they are."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.patch(sys, "executable", str(directory / "python3"))
        self.assertEqual(demo.program(), f"{directory}/python3 -m towerws")
        (directory / "towerws").touch()
        self.assertEqual(demo.program(), str((directory / "towerws").relative_to(Path.cwd())))
        elsewhere = "/usr/bin"
        self.patch(Path, "cwd", lambda: Path(elsewhere))
        self.assertEqual(demo.program(), f"{directory}/towerws")
