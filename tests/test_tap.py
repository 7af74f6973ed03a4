"""`towerws.tap`: the tree of services, and sentences where it cannot be made."""

from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import IServiceMaker
from twisted.logger import capturedLogs, formatEvent
from twisted.plugin import getPlugins

from tests.raw_websocket import SUBSCRIBE
from tests.tap_case import TapCase
from tests.websocket_pair import MemoryClient
from towerws.amqp_bridge import AMQPBridge
from towerws.broker_emitter import BrokerEmitter
from towerws.embedded import EmbeddedSource
from towerws.factory import ClientFactory, Settings
from towerws.network.listening import Listener, StartError
from towerws.operations.site import OperationsSite
from towerws.reloading import Reloader
from towerws.server import Server
from towerws.signals import HangupSignal, TerminationSignal
from towerws.tap import Options, makeService
from towerws.workers.supervisor import Supervisor


class TreeTests(TapCase):
    """What `makeService` puts together."""

    def test_default(self) -> None:
        """An embedded source, the websocket and the operators' site; nothing has begun yet."""
        server = self.make()
        source, websocket, reloader, expiry, operations, hangup, termination = list(server)
        self.assertIsInstance(expiry, TimerService)
        self.assertIsInstance(source, EmbeddedSource)
        self.assertIsInstance(websocket, Listener)
        self.assertIsInstance(operations, Listener)
        self.assertIsInstance(reloader, Reloader)
        self.assertIsInstance(hangup, HangupSignal)
        self.assertIsInstance(termination, TerminationSignal)
        self.assertEqual(self.reactor.tcpServers, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertIs(server.clients.hub._source, source)
        self.assertEqual(server.clients.settings, Settings(guard_rebinding=True))

    def test_started(self) -> None:
        """Started, it listens where it was told."""
        server = self.make("--listen=tcp:1:interface=127.0.0.1", "--listen=unix:/run/x.sock")
        server.privilegedStartService()
        server.startService()
        (websocket, operations) = self.reactor.tcpServers
        self.assertEqual((websocket[0], websocket[3]), (1, "127.0.0.1"))
        self.assertIsInstance(websocket[1], ClientFactory)
        self.assertEqual((operations[0], operations[3]), (8052, "127.0.0.1"))
        self.assertIsInstance(operations[1], OperationsSite)
        ((path, factory, *_),) = self.reactor.unixServers
        self.assertEqual(path, "/run/x.sock")
        self.assertIs(factory, websocket[1])
        services: list[Any] = list(server)
        self.assertTrue(all(service.running for service in services))

    def test_without_operations(self) -> None:
        """The operators' site can be left out."""
        self.assertEqual(len(list(self.make("--operations=none"))), 6)

    def test_options_arrive(self) -> None:
        """Every option gets where it is read."""
        server = self.make(
            "--path=/a/",
            "--origin=https://ui.example",
            "--max-connections=11",
            "--max-message=222",
            "--max-outbox=333",
            "--max-groups=44",
            "--max-event=555",
            "--max-rate=66",
            "--heartbeat=77",
            "--drain=88",
            "--operations=tcp:8052",
            TOWERWS_TOKEN="t",
        )
        settings = server.clients.settings
        self.assertEqual(settings.paths, {"/a/"})
        self.assertEqual(settings.origins, {"https://ui.example"})
        self.assertEqual(settings.max_connections, 11)
        self.assertEqual(settings.max_message, 222)
        self.assertEqual(settings.max_outbox, 333)
        self.assertEqual(settings.limits.groups, 44)
        self.assertEqual((settings.limits.rate, settings.limits.heartbeat), (66, 77))
        self.assertEqual(settings.drain, 88)
        server.startService()
        site: Any = self.reactor.tcpServers[1][1]
        self.assertEqual(site.max_event, 555)
        self.assertEqual(site._token, "t")
        self.assertEqual(site.resource.children[b"emit"]._max_body, 555)

    def test_broker(self) -> None:
        """With a broker the source is a bridge to it."""
        server = self.make(
            "--exchange=other",
            "--prefetch=77",
            "--max-event=88",
            TOWERWS_BROKER="amqp://user:s3cret@broker.example/",
        )
        bridge: Any = next(iter(server))
        self.assertIsInstance(bridge, AMQPBridge)
        settings = bridge._feed._settings
        self.assertEqual((settings.exchange, settings.prefetch), ("other", 77))
        self.assertEqual(bridge._connect.keywords["max_body"], 88)
        self.assertEqual(bridge.unready(), "not connected to the broker yet")

    def test_gaps(self) -> None:
        """`--on-gap` decides whether clients hear of gaps."""
        for choice, calls in (("close", 1), ("keep", 0)):
            server = self.make(f"--on-gap={choice}")
            client = MemoryClient(self.reactor, server.clients).connect()
            client.send(SUBSCRIBE)
            before = len(self.reactor.getDelayedCalls())
            server.clients.hub.gap("why")
            self.assertEqual(len(self.reactor.getDelayedCalls()) - before, calls)
            self.reactor.advance(5)
            client.pump()
            self.assertEqual(client.close_code, 1012 if calls else None)
            client.leave()

    def test_bad_endpoints(self) -> None:
        """What is no endpoint is a sentence."""
        for endpoint in (
            "tcp:x:interface=127.0.0.1",
            "tcp:1:interface=127.0.0.1:bogus=1",
            "unix",
        ):
            text = str(self.assertRaises(StartError, self.make, f"--listen={endpoint}"))
            self.assertTrue(text.startswith(f"towerws: '{endpoint}' is not an endpoint: "), text)
            self.assertNotIn("\n", text)
        environment = {"TOWERWS_TOKEN": "t"}
        for endpoint in ("bogus:1", "", "systemd:domain=INET:index=0"):
            self.assertRaises(StartError, self.make, f"--operations={endpoint}", **environment)

    def test_global_reactor(self) -> None:
        """Without being told otherwise it runs on the global reactor, as twistd needs it."""
        from twisted.internet import reactor

        options = Options({})
        options.parseOptions([])
        server = makeService(options)
        assert isinstance(server, Server)
        self.assertIs(server.clients.reactor, reactor)

    def test_plugin(self) -> None:
        """Twisted finds the server by its name, and this module behind it."""
        (plugin,) = (plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "towerws")
        self.assertIs(plugin.options, Options)
        self.assertIs(plugin.makeService, makeService)

    def test_secrets(self) -> None:
        """Neither the services nor the log of their start show a password or a token."""
        with capturedLogs() as logs:
            server = self.make(
                TOWERWS_BROKER="amqp://user:s3cret@127.0.0.1/", TOWERWS_TOKEN="t0ken-s3cret"
            )
            server.startService()
            self.reactor.advance(1)
            self.successResultOf(server.stopService())
        shown = [repr(part) + str(part) for part in (server, *server, server.clients)]
        shown.extend(formatEvent(event) for event in logs)
        self.assertNotIn("s3cret", "\n".join(shown))


class WorkersTests(TapCase):
    """What `makeService` puts together for several workers."""

    def test_one(self) -> None:
        """One is served by this process itself."""
        self.assertEqual(len(list(self.make("--workers=1"))), 7)

    def test_two(self) -> None:
        """The sockets are opened here, and the operators' site is here; clients are not."""
        supervisor: Any = self.make_any(
            "--workers=2", "--listen=tcp:0:interface=127.0.0.1", "--drain=7"
        )
        websocket, _reloader, operations, *_signals = list(supervisor)
        self.addCleanup(websocket.stopService)
        self.assertIsInstance(supervisor, Supervisor)
        supervisor.privilegedStartService()
        self.assertEqual(len(websocket.port.sockets), 2)
        ((port, factory, *_),) = self.reactor.tcpServers
        self.assertEqual(port, 8052)
        self.assertIsInstance(factory, OperationsSite)
        site: Any = factory
        resources = site.resource.children
        self.assertIs(resources[b"emit"]._emitter, supervisor)
        self.assertIs(resources[b"ready"]._emitter, supervisor)
        self.assertEqual(supervisor._drain_spread, 7)
        self.assertEqual(resources[b"metrics"]._render, supervisor.render)
        self.assertIsNotNone(operations.port)
        self.assertEqual(supervisor._options["max-groups"], Settings().limits.groups)

    def test_broker(self) -> None:
        """With a broker, what is emitted goes there."""
        supervisor = self.make_any("--workers=2", TOWERWS_BROKER="amqp://user:s3cret@b.example/")
        self.assertIsInstance(next(each for each in supervisor if each.name), BrokerEmitter)

    def test_mistakes(self) -> None:
        """What is wrong is told before anything is started, as without workers."""
        text = str(self.assertRaises(StartError, self.make_any, "--workers=2", "--listen=unix"))
        self.assertTrue(text.startswith("towerws: 'unix' is not an endpoint: "), text)
        supervisor = self.make_any("--workers=2", "--listen=unix:/nonexistent/x")
        text = str(self.assertRaises(StartError, supervisor.privilegedStartService))
        self.assertIn("cannot listen on unix:/nonexistent/x: ", text)
