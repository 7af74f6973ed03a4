"""`towerws.server`."""

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs, formatEvent

from tests.hubs import publish
from tests.metrics import read_sample
from tests.raw_websocket import SUBSCRIBE
from tests.tap_case import TapCase
from tests.websocket_pair import MemoryClient
from towerws.auth.portal import PortalAuthenticator
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.embedded import EmbeddedSource
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.server import FLUSH_WITHIN, Server
from towerws.websocket.crowd import STEP
from towerws.websocket.protocol import CLOSE_TIMEOUT


class _Ending:
    """Part of a server whose end the test decides on.

    Attributes:
        ended: Fires when it has ended.
    """

    kind = ""

    def __init__(self, events: list[str]) -> None:
        self._events = events
        self.ended: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        """See `Service`."""
        self._events.append(self.kind)
        return self.ended


class _Source(_Ending, EmbeddedSource):
    """Its source.

    Attributes:
        drained: Fires when it has drained.
    """

    kind = "source"

    def __init__(self, events: list[str]) -> None:
        super().__init__(events)
        self.drained: Deferred[None] = Deferred()

    def drain(self) -> Deferred[None]:
        """See `EmbeddedSource`."""
        self._events.append("drain")
        return self.drained

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """See `EmbeddedSource`."""
        return fail(ValueError(group))

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """See `EmbeddedSource`."""
        return fail(ValueError(revocation.user))


class _Listener(_Ending, Listener):
    """One of its listeners."""

    kind = "listener"


class _Site(_Ending, Listener):
    """The operators'."""

    kind = "site"


class ServerCase(TapCase):
    """A test with a server whose parts end when the test says so."""

    def setUp(self) -> None:
        """Run a server with clients."""
        super().setUp()
        self.clients = self.make().clients
        self.events: list[str] = []
        self.source = _Source(self.events)
        self.listeners = [_Listener(self.events), _Listener(self.events)]
        self.site = _Site(self.events)
        self.metrics = Metrics()
        self.server = Server(
            self.reactor,
            self.source,
            self.clients,
            PortalAuthenticator([]),
            list(self.listeners),
            reloader=Reloader(self.reactor, (), Metrics()),
            metrics=self.metrics,
        )
        self.server.add_site(self.site)
        self.assertTrue(IService.providedBy(self.server))

    def client(self) -> MemoryClient:
        """Connect a client, which subscribes."""
        client = MemoryClient(self.reactor, self.clients).connect()
        client.send(SUBSCRIBE)
        client.texts()
        return client

    def end_parts(self) -> None:
        """Let all parts end as soon as they are asked to."""
        for each in (*self.listeners, self.source, self.site):
            each.ended.callback(None)
        self.source.drained.callback(None)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, at the pace at which clients are looked after."""
        self.reactor.pump([0.02] * round(seconds / 0.02))


class StopTests(ServerCase):
    """The end of the server: in order, and bounded."""

    def test_order(self) -> None:
        """The listeners, the clients, who still hear of it, the source, all else, and the site."""
        client = self.client()
        other = Service()
        other.setServiceParent(self.server)
        for service in (other, self.server.reloader):
            service.startService()
        done = self.server.stopService()
        self.assertEqual(self.events, ["listener", "listener"])
        self.listeners[0].ended.callback(None)
        client.pump()
        self.assertIsNone(client.close_code)
        self.listeners[1].ended.callback(None)
        client.pump()
        self.assertEqual(client.close_code, 1012)
        self.reactor.advance(0.02)
        self.assertEqual(self.events[2:], ["drain"])
        self.source.drained.callback(None)
        self.assertEqual(self.events[2:], ["drain", "source"])
        self.assertTrue(self.server.reloader.running and other.running)
        self.source.ended.callback(None)
        self.assertFalse(self.server.reloader.running or other.running)
        self.assertEqual(self.events[2:], ["drain", "source", "site"])
        self.assertNoResult(done)
        self.site.ended.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_crowd(self) -> None:
        """The time that clients get to answer begins when all of them have been told."""
        self.client()
        told: Deferred[None] = Deferred()
        self.patch(self.clients.crowd, "close_all", lambda *_: told)
        self.end_parts()
        done = self.server.stopService()
        self.pass_time(10)
        told.callback(None)
        self.pass_time(CLOSE_TIMEOUT)
        self.assertNoResult(done)
        self.pass_time(1.1)
        self.successResultOf(done)

    def test_without_clients(self) -> None:
        """Nobody is waited for if nobody is there."""
        self.end_parts()
        self.successResultOf(self.server.stopService())
        self.assertFalse(self.server.running)

    def test_deaf_client(self) -> None:
        """A client that does not answer costs some seconds and no more."""
        self.client().wire.stalled = True
        self.end_parts()
        done = self.server.stopService()
        self.pass_time(CLOSE_TIMEOUT + 1.1)
        self.successResultOf(done)
        self.assertEqual(self.events[-1], "site")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_client_that_cannot_be_dropped(self) -> None:
        """Not even a transport that never ends holds up the server."""
        client = self.client()
        self.patch(client.wire, "abortConnection", lambda: None)
        client.silent = True
        self.end_parts()
        done = self.server.stopService()
        self.pass_time(CLOSE_TIMEOUT + 1.1)
        self.successResultOf(done)


class DrainTests(ServerCase):
    """Letting clients go one after the other, before the end."""

    def test_ready(self) -> None:
        """It says so at once, though events still flow; and so it does when it stops."""
        for leave in ("drain", "stopService"):
            self.setUp()
            self.assertIsNone(self.server.unready())
            self.assertEqual(read_sample(self.metrics, "towerws_draining"), 0)
            getattr(self.server, leave)()
            self.assertEqual(self.server.unready(), "draining")
            self.assertEqual(read_sample(self.metrics, "towerws_draining"), 1)

    def test_unready_source(self) -> None:
        """Else it is the source that says whether clients may come."""
        self.patch(self.source, "unready", lambda: "it is away")
        self.assertEqual(self.server.unready(), "it is away")

    def test_source(self) -> None:
        """What is emitted and revoked goes to the source."""
        self.failureResultOf(self.server.emit("jobs-1", b"{}"), ValueError)
        self.failureResultOf(self.server.revoke(Revocation("7", None)), ValueError)

    def test_drain(self) -> None:
        """No new clients from the start; it is over when all have left, and the rest goes on."""
        clients = [self.client() for _ in range(3)]
        with capturedLogs() as logs:
            drained = self.server.drain()
        self.assertEqual([formatEvent(event) for event in logs], ["3 clients are sent away"])
        self.assertEqual(self.events, ["listener", "listener"])
        for _ in range(3):
            for client in clients:
                client.pump()
            self.assertNoResult(drained)
            self.reactor.advance(STEP)
        self.assertEqual([client.close_code for client in clients], [1012] * 3)
        self.reactor.advance(0.02)
        self.successResultOf(drained)
        self.assertEqual(self.events, ["listener", "listener"])
        self.end_parts()
        self.successResultOf(self.server.stopService())
        self.assertEqual(self.events[2:], ["drain", "source", "site"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_slow_reader(self) -> None:
        """One that does not take what waits for it is given some time, and then dropped."""
        client = self.client()
        client.wire.stalled = True
        for _ in range(2):
            publish(self.clients.hub, ("jobs-1", b'{"x": "' + b"x" * 100_000 + b'"}'))
        drained = self.server.drain()
        self.pass_time(FLUSH_WITHIN - 0.1)
        self.assertNoResult(drained)
        self.pass_time(0.2)
        self.successResultOf(drained)
        self.end_parts()
        stopped = self.server.stopService()
        self.pass_time(CLOSE_TIMEOUT + 1.1)
        self.successResultOf(stopped)
        self.assertIsNotNone(client.wire.closed)

    def test_in_a_hurry(self) -> None:
        """Stopped meanwhile, all that are still there are closed at once."""
        clients = [self.client() for _ in range(3)]
        drained = self.server.drain()
        for client in clients:
            client.pump()
        self.assertEqual(sorted(str(client.close_code) for client in clients)[1:], ["None"] * 2)
        self.end_parts()
        stopped = self.server.stopService()
        self.successResultOf(drained)
        for client in clients:
            client.pump()
        self.assertEqual([client.close_code for client in clients], [1012] * 3)
        self.pass_time(0.1)
        self.successResultOf(stopped)
        self.assertEqual(self.events, ["listener", "listener", "drain", "source", "site"])

    def test_fault(self) -> None:
        """A fault of ours is logged, and does not keep the server from ending."""
        self.patch(self.clients.crowd, "drain", lambda *_: fail(ZeroDivisionError()))
        self.successResultOf(self.server.drain())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_spread(self) -> None:
        """The time is that of the settings."""
        asked: list[object] = []

        def drain(*arguments: object) -> Deferred[None]:
            asked.append(arguments)
            return Deferred()

        self.patch(self.clients.crowd, "drain", drain)
        self.server.drain()
        self.assertEqual(asked, [(self.clients.settings.drain, 1012, "the server stops")])
