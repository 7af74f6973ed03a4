"""`towerws.network.listening`: who can reach a listener, and starts that fail with a sentence."""

import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port as TCPPort
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.unix import Port as UNIXPort
from twisted.logger import capturedLogs, formatEvent
from twisted.plugins.twisted_core import systemdEndpointParser
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from towerws.network.listening import BACKLOG, Listener, StartError, is_private, with_backlog


class WithBacklogTests(SynchronousTestCase):
    """`with_backlog` leaves to the operator what the operator has said."""

    def test_added(self) -> None:
        """Twisted understands what comes out."""
        for description in (
            "tcp:8051:interface=127.0.0.1",
            "tcp:8051:127.0.0.1",
            "tcp:interface=127.0.0.1:port=8051",
            r"tcp6:8051:interface=\:\:1",
            "unix:/run/towerws.sock:mode=660",
        ):
            endpoint: Any = serverFromString(None, with_backlog(description))
            self.assertEqual(endpoint._backlog, BACKLOG, description)

    def test_behind_a_proxy(self) -> None:
        """The endpoint that is wrapped gets it."""
        self.assertEqual(
            with_backlog("haproxy:haproxy:tcp:8051"), f"haproxy:haproxy:tcp:8051:backlog={BACKLOG}"
        )

    def test_not_added(self) -> None:
        """Where it is given, or the kind has none, or there is no kind."""
        for description in (
            "tcp:8051:interface=127.0.0.1:backlog=5",
            "tcp:8051:127.0.0.1:5",
            "unix:/run/towerws.sock:660:5",
            "systemd:domain=INET:index=0",
            "haproxy:systemd:domain=INET:index=0",
            "nonsense",
            "",
        ):
            self.assertEqual(with_backlog(description), description)


class IsPrivateTests(SynchronousTestCase):
    """`is_private` says yes only where it is sure."""

    def test_private(self) -> None:
        """Unix sockets and loopback addresses, in all ways to write them."""
        for description in (
            "unix:/run/towerws.sock",
            "unix:address=/run/towerws.sock:mode=660",
            "tcp:8051:interface=127.0.0.1",
            "tcp:interface=127.0.0.1:port=8051",
            "tcp:8051:127.0.0.1",
            "tcp:port=8051:interface=127.1.2.3:backlog=5",
            "tcp:8051:interface=localhost",
            r"tcp6:8051:interface=\:\:1",
            r"tcp:8051:interface=\:\:1",
            "ssl:8051:interface=127.0.0.1:privateKey=/k.pem",
            "haproxy:tcp:8051:interface=127.0.0.1",
            "haproxy:unix:/run/towerws.sock",
        ):
            self.assertTrue(is_private(description), description)

    def test_not_private(self) -> None:
        """Everything else, and what cannot be known."""
        for description in (
            "tcp:8051",
            "tcp:8051:interface=0.0.0.0",
            "tcp:8051:interface=",
            "tcp:8051:interface=192.0.2.1",
            "tcp:8051:interface=localhost.example.org",
            "tcp:8051:interface=127.0.0.1.example.org",
            "tcp:8051:interface=127.0.0.1:interface=0.0.0.0",
            "tcp:8051:127.0.0.1:interface=0.0.0.0",
            r"tcp:8051:interface\=127.0.0.1",
            "tcp6:8051",
            r"tcp6:8051:interface=\:\:",
            "ssl:8051:127.0.0.1",
            "haproxy:tcp:8051",
            "haproxy",
            "stdio:",
            "unixish:/x",
            "none",
            "",
        ):
            self.assertFalse(is_private(description), description)


class InheritedTests(SynchronousTestCase):
    """`is_private` looks at what systemd has handed over."""

    def _hand_over(self, listening: socket.socket) -> None:
        self.addCleanup(listening.close)
        handed = ListenFDs([listening.fileno()], ["web"])
        self.patch(type(systemdEndpointParser), "_sddaemon", handed)

    def test_tcp(self) -> None:
        """The address decides, in front of which ever layer."""
        for address, private in (("127.0.0.1", True), ("0.0.0.0", False)):
            self._hand_over(socket.create_server((address, 0)))
            for description in (
                "systemd:domain=INET:index=0",
                "systemd:INET:name=web",
                "haproxy:systemd:domain=INET:index=0",
            ):
                self.assertEqual(is_private(description), private, description)

    def test_ipv6(self) -> None:
        """The same with IPv6."""
        for address, private in (("::1", True), ("::", False)):
            self._hand_over(socket.create_server((address, 0), family=socket.AF_INET6))
            self.assertEqual(is_private("systemd:domain=INET6:index=0"), private)

    def test_unix(self) -> None:
        """A Unix socket is private, whether it has a path or not."""
        for address in (self.mktemp(), "\0towerws-test"):
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(address)
            listening.listen()
            self._hand_over(listening)
            self.assertTrue(is_private("systemd:domain=UNIX:index=0"))

    def test_nothing(self) -> None:
        """That nothing was handed over is a sentence."""
        error = self.assertRaises(StartError, is_private, "systemd:domain=INET:index=0")
        self.assertEqual(
            str(error),
            "towerws: cannot listen on systemd:domain=INET:index=0: "
            "no such socket was handed over (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES)",
        )


class StartErrorTests(SynchronousTestCase):
    """`StartError` is what twistd needs it to be."""

    def test_kinds(self) -> None:
        """An Exception for twistd's cleaning up, a SystemExit for the interpreter."""
        error = StartError("it cannot be.")
        self.assertIsInstance(error, Exception)
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(error.code, "towerws: it cannot be.")
        self.assertEqual(str(error), "towerws: it cannot be.")


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    """An endpoint that answers as it is told, even later."""

    def __init__(self, answer: Deferred[Any]) -> None:
        """Answer with a Deferred."""
        self._answer = answer

    def listen(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803  # Twisted's name
        """See `IStreamServerEndpoint`."""
        return self._answer


class ListenerTests(SynchronousTestCase):
    """A listener through its life."""

    def _start_error(self, endpoint: IStreamServerEndpoint, description: str = "tcp:1") -> str:
        listener = Listener(description, endpoint, Factory())
        return str(self.assertRaises(StartError, listener.startService))

    def test_privileged_start(self) -> None:
        """It listens before twistd gives up its rights, and only once."""
        reactor = MemoryReactorClock()
        description = "tcp:80:interface=127.0.0.1"
        factory = Factory()
        listener = Listener(description, serverFromString(reactor, description), factory)
        with capturedLogs() as logs:
            listener.privilegedStartService()
        self.assertIn("listening on", formatEvent(logs[-1]))
        listener.startService()
        self.assertEqual(reactor.tcpServers, [(80, factory, 50, "127.0.0.1")])
        self.assertTrue(listener.running)

    def test_start(self) -> None:
        """Without twistd a plain start is enough."""
        reactor = MemoryReactorClock()
        description = "tcp:80:interface=127.0.0.1"
        listener = Listener(description, serverFromString(reactor, description), Factory())
        listener.startService()
        self.assertEqual(len(reactor.tcpServers), 1)
        self.assertIsNotNone(listener.port)

    def test_stop(self) -> None:
        """The port is closed, once; what was never started stops as well."""
        stopped: list[str] = []
        closing: Deferred[None] = Deferred()

        class Port:
            """A port whose closing takes as long as the test wants."""

            def getHost(self) -> str:
                return "here"

            def stopListening(self) -> Deferred[None]:
                stopped.append("port")
                return closing

        answer: Deferred[Any] = Deferred()
        answer.callback(Port())
        listener = Listener("tcp:1", FakeEndpoint(answer), Factory())
        listener.startService()
        done = listener.stopService()
        self.assertNoResult(done)
        closing.callback(None)
        self.successResultOf(done)
        self.successResultOf(listener.stopService())
        self.assertEqual(stopped, ["port"])
        self.assertFalse(listener.running)

    def test_address_in_use(self) -> None:
        """The sentence names the endpoint and the reason, and nothing else."""
        error = CannotListenError("127.0.0.1", 1, OSError(98, "Address already in use"))
        self.assertEqual(
            self._start_error(FakeEndpoint(fail(error)), "tcp:1:interface=127.0.0.1"),
            "towerws: cannot listen on tcp:1:interface=127.0.0.1: Address already in use",
        )

    def test_fault(self) -> None:
        """What is no operator's mistake keeps its traceback."""
        listener = Listener("tcp:1", FakeEndpoint(fail(ZeroDivisionError())), Factory())
        self.assertRaises(ZeroDivisionError, listener.startService)


class SocketTests(SynchronousTestCase):
    """The same with sockets of this machine; nothing ever connects to them."""

    def setUp(self) -> None:
        """Make a reactor of which only the registration of sockets is used."""
        self.reactor = MemoryReactorClock()

    def _listener(self, description: str) -> Listener:
        return Listener(description, serverFromString(self._real(), description), Factory())

    def _real(self) -> Any:
        """Give a reactor that opens real sockets and watches none."""
        reactor: Any = self.reactor

        class Opening:
            """The memory reactor, but for listening."""

            def __getattr__(self, name: str) -> Any:
                return getattr(reactor, name)

            def listenTCP(self, *arguments: Any, **options: Any) -> Any:
                return self._listen(TCPPort, *arguments, **options)

            def listenUNIX(self, *arguments: Any, **options: Any) -> Any:
                return self._listen(UNIXPort, *arguments, **options)

            def _listen(self, kind: Any, *arguments: Any, **options: Any) -> Any:
                port = kind(*arguments, **options, reactor=reactor)
                port.startListening()
                return port

        return Opening()

    def test_port_in_use(self) -> None:
        """A port that somebody has is a sentence."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            description = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            error = self.assertRaises(StartError, self._listener(description).startService)
        self.assertEqual(
            str(error),
            f"towerws: cannot listen on {description}: Address already in use",
        )

    def test_impossible(self) -> None:
        """So are ports that are none, addresses of others, and directories that are not there."""
        for description, reason in (
            ("tcp:99999:interface=127.0.0.1", "bind(): port must be 0-65535."),
            ("tcp:0:interface=192.0.2.1", "Cannot assign requested address"),
            ("unix:/nonexistent/towerws.sock", "No such file or directory"),
            (f"unix:{self.mktemp()}{'x' * 200}", "AF_UNIX path too long"),
        ):
            error = self.assertRaises(StartError, self._listener(description).startService)
            self.assertEqual(str(error), f"towerws: cannot listen on {description}: {reason}")

    def test_unix_socket(self) -> None:
        """A Unix socket is there while the listener runs, with its mode, and then no more."""
        path = Path(self.mktemp())
        listener = self._listener(f"unix:{path}:mode=600")
        listener.startService()
        self.assertTrue(path.is_socket())
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        done = listener.stopService()
        self.reactor.advance(0)
        self.successResultOf(done)
        self.assertFalse(path.exists())
