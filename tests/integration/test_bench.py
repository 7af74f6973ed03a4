"""`towerws bench` as users run it, against the real server."""

import json
import os
import re
import signal
from typing import Any

from tests.integration.case import ServerCase
from tests.integration.commands import Command, run_command
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess, shared_server


class BenchTests(ServerCase):
    """Small loads, and what becomes of them."""

    def bench(self, server: ServerProcess, *options: str) -> tuple[int, str, str]:
        """Run a load test; give status, standard output and standard error."""
        urls = ("--url", server.operations_url, "--ws-url", server.websocket_url)
        return run_command("bench", *urls, "--warm-up", "0", *options)

    def document(self, server: ServerProcess, *options: str) -> tuple[int, dict[str, Any]]:
        """Run a load test; give status and figures."""
        status, stdout, stderr = self.bench(server, "--json", *options)
        self.assertEqual(stderr, "")
        return status, json.loads(stdout)

    def test_nothing_is_lost(self) -> None:
        """Every event reaches every connection of its group, once, in order; status 0."""
        for profile in ("awx", "v1"):
            self._nothing_is_lost(profile)

    def _nothing_is_lost(self, profile: str) -> None:
        server = self.use(shared_server())
        crowd, events = ("--connections", "50", "--groups", "5"), ("--rate", "10", "--burst", "2")
        options = (*crowd, *events, "--seconds", "1", "--profile", profile)
        status, document = self.document(server, *options)
        self.assertEqual((status, document["ok"]), (0, True), document)
        self.assertEqual(document["plan"]["profile"], profile)
        self.assertEqual(document["connections"]["subscribed"], 50)
        self.assertEqual(document["events"]["published"], 50)
        deliveries = document["deliveries"]
        self.assertEqual((deliveries["expected"], deliveries["delivered"]), (500, 500))
        latency = deliveries["latency_ms"]
        self.assertTrue(0 < latency["p50"] <= latency["p99"] <= latency["max"], latency)
        self.assertEqual(server.metric("towerws_connections"), 0)

    def test_refused_connections(self) -> None:
        """A server that is full is told; the others are tested, the table is printed; status 1."""
        server = self.start_server("--max-connections", "3")
        crowd = ("--connections", "5", "--groups", "1", "--connect-rate", "20")
        status, stdout, stderr = self.bench(server, *crowd, "--rate", "10", "--seconds", "0.5")
        self.assertEqual((status, stderr), (1, ""))
        found = re.search(r" (\d) of 5 subscribed\n +(\d) failed: HTTP 503", stdout)
        assert found is not None, stdout
        subscribed, failed = map(int, found.groups())
        # One that is refused counts as one until it is closed, which may take a moment.
        self.assertEqual((subscribed + failed, 1 <= subscribed <= 3), (5, True), stdout)
        self.assertIn(f" {5 * subscribed} of {5 * subscribed}, ", stdout)
        self.assertNotIn("\r", stdout)

    def test_interrupted(self) -> None:
        """Ctrl-C prints what there is so far; status 130."""
        server = self.use(shared_server())
        bench = self.start(server.operations_url, server, "--rate", "20", "--seconds", "60")
        bench.interrupt()
        self.assertEqual(bench.wait(), 130, bench.stderr)
        self.assertIn("(interrupted)\n", bench.stdout)
        self.assertIn(" 0 lost, 0 duplicated, 0 out of order\n", bench.stdout)
        self.assertEqual(bench.stderr, "")

    def test_lost_events(self) -> None:
        """What a broker takes while the server is dead is lost, and reported as such; status 1."""
        node = shared_node()
        server = self.start_server(broker=node.url)
        bench = self.start(node.url, server, "--rate", "30", "--seconds", "1", "--json")
        os.kill(server.pid, signal.SIGKILL)
        self.assertEqual(bench.wait(), 1, bench.stderr)
        document = json.loads(bench.stdout)
        connections, events = document["connections"], document["events"]
        self.assertEqual((connections["subscribed"], sum(connections["lost"].values())), (10, 10))
        self.assertEqual((events["published"], events["planned"]), (30, 30))
        deliveries = document["deliveries"]
        self.assertGreater(deliveries["delivered"], 0)
        self.assertGreater(deliveries["lost"], 0)
        self.assertEqual(deliveries["expected"], 300)

    def start(self, url: str, server: ServerProcess, *options: str) -> Command:
        """Start a load test of ten connections, and wait until events are delivered."""
        before = server.metric("towerws_deliveries_total")
        urls = ("--url", url, "--ws-url", server.websocket_url)
        crowd = ("--connections", "10", "--groups", "1", "--warm-up", "0")
        bench = Command("bench", *urls, *crowd, *options)
        self.addCleanup(bench.stop)
        wait_until(
            lambda: server.metric("towerws_deliveries_total") > before, 20, "nothing is delivered"
        )
        return bench
