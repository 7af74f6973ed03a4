"""`towerws bench`."""

import io
import json
import os
import sys
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.bench.test_result import result
from tests.cli.memory import Network
from tests.cli.test_emit import PublisherInMemory
from towerws.cli import bench, emit, main
from towerws.cli.bench import preflight
from towerws.cli.bench.crowd import Crowd
from towerws.cli.bench.result import Deliveries
from towerws.cli.bench.table import table


class BenchTests(SynchronousTestCase):
    """The command, with nobody to connect to."""

    def setUp(self) -> None:
        """Have no settings in the environment, and a reactor in memory."""
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        for name in ("TOWERWS_URL", "TOWERWS_WS_URL", "TOWERWS_COOKIE"):
            os.environ.pop(name, None)
        PublisherInMemory.reset()
        self.patch(emit, "Publisher", PublisherInMemory)
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)
        self.patch(bench, "run_in_reactor", self.run_in_reactor)
        self.patch(preflight, "find_server", lambda _target: "127.0.0.1")
        self.network = Network(self)

    def run_in_reactor(self, body: Any) -> int:
        """Run the command in a reactor in which every connection is refused."""
        running: Deferred[int] = Deferred.fromCoroutine(body(self.network.reactor))
        while not running.called:
            self.network.refuse()
            self.network.reactor.advance(0.1)
        return self.successResultOf(running)

    def bench(self, *argv: str) -> int:
        """Run the command."""
        return main.main(["bench", *argv, "--connections", "2", "--groups", "1"])

    def test_table(self) -> None:
        """The figures go to standard output, and the status says that all is not well."""
        self.assertEqual(self.bench(), 1)
        self.assertIn(
            "2 connections to 127.0.0.1:8051, profile awx, 1 group", self.stdout.getvalue()
        )
        self.assertIn("2 failed: cannot connect", self.stdout.getvalue())
        self.assertEqual((self.stderr.getvalue(), PublisherInMemory.open), ("", 0))

    def test_json(self) -> None:
        """They are one JSON object where that is asked for."""
        self.bench("--json", "--ws-url", "ws://127.0.0.1:9/a")
        (line,) = self.stdout.getvalue().splitlines()
        document = json.loads(line)
        self.assertEqual((document["server"], document["ok"]), ("127.0.0.1:9", False))

    def test_profile(self) -> None:
        """The connections speak what is asked for."""
        made = mock.Mock(side_effect=Crowd)
        self.patch(bench, "Crowd", made)
        for argv, subprotocol in (((), None), (("--profile", "v1"), "towerws.v1")):
            self.bench(*argv)
            self.assertEqual(made.call_args.kwargs["subprotocol"], subprotocol)

    def test_publisher(self) -> None:
        """Events go to where ``--url`` says, and each is tried."""
        self.bench("--url", "unix:///run/a.sock")
        self.assertEqual(PublisherInMemory.urls, ["unix:///run/a.sock"])
        self.assertEqual(PublisherInMemory.options, [{"pause": 0}])

    def test_other_machines(self) -> None:
        """Neither a server nor a broker elsewhere is put under load without being asked for."""
        for argv in (("--url", "amqp://192.0.2.1"), ("--ws-url", "ws://192.0.2.1/")):
            self.assertEqual(self.bench(*argv), 1)
            self.assertIn("192.0.2.1 is another machine", self.stderr.getvalue())
            self.assertEqual(self.network.attempts, 0)
        self.bench("--url", "amqp://192.0.2.1", "--ws-url", "ws://192.0.2.1/", "--remote")
        self.assertGreater(self.network.attempts, 0)

    def test_too_many(self) -> None:
        """What this machine cannot take is not tried; ports matter to TCP only."""
        self.patch(preflight, "DEFAULT_PORTS", (1, 1))
        self.patch(preflight, "_PORTS", mock.Mock(read_text=mock.Mock(side_effect=OSError)))
        self.assertEqual(self.bench(), 1)
        self.assertIn("has 1 ports", self.stderr.getvalue())
        self.bench("--ws-url", "ws+unix:///run/a.sock")
        self.assertEqual(len(self.network.reactor.unixClients), 2)
        self.patch(preflight, "SPARE_FILES", 10**9)
        self.bench("--ws-url", "ws+unix:///run/a.sock")
        self.assertIn("open files", self.stderr.getvalue())


class ReportTests(SynchronousTestCase):
    """`report` prints a result, and turns it into a status."""

    def test_status(self) -> None:
        """0 if all is well, 1 if not, 130 after Ctrl-C."""
        for made, status in (
            (result(), 0),
            (result(deliveries=Deliveries(lost=1)), 1),
            (result(interrupted=True), 130),
        ):
            stdout = io.StringIO()
            self.assertEqual(bench.report(made, stdout, as_json=False), status)
            self.assertEqual(stdout.getvalue(), table(made))
