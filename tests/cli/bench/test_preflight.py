"""What must be so before a load test."""

import os
import resource
import socket
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench import preflight
from towerws.cli.bench.preflight import (
    allow_open_files,
    check_ports,
    find_server,
    hosts_published_to,
    require_loopback,
)
from towerws.cli.errors import CommandError
from towerws.client import Target


class PreflightCase(SynchronousTestCase):
    """A test of what is refused."""

    def refusal(self, function: Any, *arguments: object) -> str:
        """Give the sentence that refuses something."""
        return str(self.assertRaises(CommandError, function, *arguments))


class FindServerTests(PreflightCase):
    """`find_server` looks the host up, and whether it accepts connections."""

    def test_address(self) -> None:
        """A name becomes the address that answers."""
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
            found = find_server(Target.parse(f"ws://localhost:{port}/"))
        self.assertEqual(found, "127.0.0.1")

    def test_nobody(self) -> None:
        """A closed port is told."""
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
        sentence = self.refusal(find_server, Target.parse(f"ws://127.0.0.1:{port}/"))
        self.assertEqual(sentence, f"cannot connect to 127.0.0.1:{port}: Connection refused")

    def test_unix_socket(self) -> None:
        """A Unix socket has no address."""
        self.assertIsNone(find_server(Target.parse("ws+unix:///run/a.sock")))


class LoopbackTests(PreflightCase):
    """Other machines are not put under load by mistake."""

    def test_hosts(self) -> None:
        """Every kind of URL tells where events go; the environment's counts where there is none."""
        for url, hosts in (
            ("http://127.0.0.1:8052", [("127.0.0.1", 8052)]),
            (" AMQP://a,b:1/v", [("a", 5672), ("b", 1)]),
            ("unix:///run/a.sock", []),
            (None, [("c", 80)]),
        ):
            with mock.patch.dict(os.environ, {"TOWERWS_URL": "http://c"}):
                self.assertEqual(hosts_published_to(url), hosts)
        with mock.patch.dict(os.environ, {"TOWERWS_URL": ""}):
            self.assertEqual(hosts_published_to(None), [("127.0.0.1", 8052)])

    def test_bad_url(self) -> None:
        """What is no URL is told."""
        self.assertIn("the publisher cannot be made", self.refusal(hosts_published_to, "ftp://a"))

    def test_loopback(self) -> None:
        """This machine by any name will do; nothing else does."""
        require_loopback([("127.0.0.1", 1), ("127.3.4.5", 1), ("::1", 1), ("localhost", 1)])
        sentence = self.refusal(require_loopback, [("127.0.0.1", 1), ("192.0.2.1", 1)])
        self.assertIn("192.0.2.1 is another machine: say --remote", sentence)

    def test_unknown(self) -> None:
        """A name without an address is told."""
        self.assertIn("was not found", self.refusal(require_loopback, [("a" * 64, 1)]))


class OpenFilesTests(PreflightCase):
    """`allow_open_files` raises the limit as far as is needed and possible."""

    def limit(self, soft: int, hard: int) -> list[tuple[int, int]]:
        """Have limits; give those that are set."""
        was_set: list[tuple[int, int]] = []
        self.patch(resource, "getrlimit", lambda _which: (soft, hard))
        self.patch(resource, "setrlimit", lambda _which, limits: was_set.append(limits))
        return was_set

    def test_enough(self) -> None:
        """Nothing is changed."""
        for soft in (164, resource.RLIM_INFINITY):
            was_set = self.limit(soft, resource.RLIM_INFINITY)
            allow_open_files(100)
            self.assertEqual(was_set, [])

    def test_raised(self) -> None:
        """The soft limit is raised to what is needed, at most to the hard one."""
        for hard in (164, resource.RLIM_INFINITY):
            was_set = self.limit(50, hard)
            allow_open_files(100)
            self.assertEqual(was_set, [(164, hard)])

    def test_too_few(self) -> None:
        """It is said how many connections there may be."""
        self.limit(50, 163)
        sentence = self.refusal(allow_open_files, 100)
        self.assertIn("this process may have 163 (ulimit -Hn): 99 connections", sentence)
        self.limit(10, 10)
        self.assertIn("0 connections are possible", self.refusal(allow_open_files, 100))


class PortsTests(PreflightCase):
    """`check_ports` knows how many connections one address allows."""

    def test_of_the_system(self) -> None:
        """Linux says how many."""
        path = Path(self.mktemp())
        path.write_text("40000\t40009\n")
        self.patch(preflight, "_PORTS", path)
        check_ports(10)
        self.assertIn("has 10 ports", self.refusal(check_ports, 11))

    def test_unknown(self) -> None:
        """Elsewhere Linux's default is taken for it."""
        self.patch(preflight, "_PORTS", Path(self.mktemp()))
        check_ports(28_232)
        self.assertIn("has 28,232 ports", self.refusal(check_ports, 28_233))
