"""`towerws.server`."""

from twisted.application.service import IService
from twisted.internet.defer import Deferred

from tests.raw_websocket import SUBSCRIBE
from tests.tap_case import TapCase
from tests.websocket_pair import MemoryClient
from towerws.auth.portal import PortalAuthenticator
from towerws.core.metrics import Metrics
from towerws.embedded import EmbeddedSource
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.server import Server
from towerws.websocket.protocol import CLOSE_TIMEOUT


class _Ending:
    """Part of a server whose end the test decides on."""

    kind = ""

    def __init__(self, events: list[str]) -> None:
        self._events = events
        self.ended: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        """See `Service`."""
        self._events.append(self.kind)
        return self.ended


class _Source(_Ending, EmbeddedSource):
    """Its source."""

    kind = "source"


class _Listener(_Ending, Listener):
    """One of its listeners."""

    kind = "listener"


class StopTests(TapCase):
    """The end of the server: in order, and bounded."""

    def setUp(self) -> None:
        """Run a server with clients."""
        super().setUp()
        self.clients = self.make().clients
        self.events: list[str] = []
        self.source = _Source(self.events)
        self.listeners = [_Listener(self.events), _Listener(self.events)]
        self.server = Server(
            self.reactor,
            self.source,
            self.clients,
            PortalAuthenticator([]),
            list(self.listeners),
            reloader=Reloader(self.reactor, (), Metrics()),
            metrics=Metrics(),
        )
        self.assertTrue(IService.providedBy(self.server))

    def _client(self) -> MemoryClient:
        client = MemoryClient(self.reactor, self.clients).connect()
        client.send(SUBSCRIBE)
        client.texts()
        return client

    def test_order(self) -> None:
        """First the listeners, then the clients, who still hear of it, then the source."""
        client = self._client()
        self.server.reloader.startService()
        done = self.server.stopService()
        self.assertEqual(self.events, ["listener", "listener"])
        client.pump()
        self.assertIsNone(client.close_code)
        self.listeners[0].ended.callback(None)
        client.pump()
        self.assertIsNone(client.close_code)
        self.listeners[1].ended.callback(None)
        client.pump()
        self.assertEqual(client.close_code, 1012)
        self.reactor.advance(0.02)
        self.assertEqual(self.events, ["listener", "listener", "source"])
        self.assertNoResult(done)
        self.assertTrue(self.server.reloader.running)
        self.source.ended.callback(None)
        self.successResultOf(done)
        self.assertFalse(self.server.reloader.running)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_crowd(self) -> None:
        """The time that clients get to answer begins when all of them have been told."""
        self._client()
        told: Deferred[None] = Deferred()
        self.patch(self.clients, "close_all", lambda *_: told)
        done = self.server.stopService()
        for listener in self.listeners:
            listener.ended.callback(None)
        self.source.ended.callback(None)
        self.reactor.pump([0.1] * 100)
        told.callback(None)
        self.reactor.pump([0.1] * 10 * CLOSE_TIMEOUT)
        self.assertNoResult(done)
        self.reactor.pump([0.1] * 11)
        self.successResultOf(done)

    def test_without_clients(self) -> None:
        """Nobody is waited for if nobody is there."""
        done = self.server.stopService()
        for listener in self.listeners:
            listener.ended.callback(None)
        self.source.ended.callback(None)
        self.successResultOf(done)
        self.assertFalse(self.server.running)

    def test_deaf_client(self) -> None:
        """A client that does not answer costs some seconds and no more."""
        client = self._client()
        client.wire.stalled = True
        done = self.server.stopService()
        for listener in self.listeners:
            listener.ended.callback(None)
        self.source.ended.callback(None)
        self.reactor.pump([0.02] * int((CLOSE_TIMEOUT + 1.1) / 0.02))
        self.successResultOf(done)
        self.assertEqual(self.events[-1], "source")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_client_that_cannot_be_dropped(self) -> None:
        """Not even a transport that never ends holds up the server."""
        client = self._client()
        self.patch(client.wire, "abortConnection", lambda: None)
        client.silent = True
        done = self.server.stopService()
        for listener in self.listeners:
            listener.ended.callback(None)
        self.source.ended.callback(None)
        self.reactor.pump([0.02] * int((CLOSE_TIMEOUT + 1.1) / 0.02))
        self.successResultOf(done)
