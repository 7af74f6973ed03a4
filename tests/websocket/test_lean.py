"""`towerws.websocket.lean`: what a connection keeps, and that nothing of it stays."""

import gc
import struct
import sys
import weakref
import zlib
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.defer import Deferred, fail

from tests.raw_websocket import REQUEST, SUBSCRIBE, frame
from tests.websocket_pair import FakeAuthenticator, ListenerCase, MemoryClient, MemoryTransport
from towerws.auth.errors import Unavailable
from towerws.auth.portal import NOBODY
from towerws.core.wire import CloseCode
from towerws.websocket.handshake import AUTHENTICATION_TIMEOUT
from towerws.websocket.protocol import ClientProtocol

COOKIE = b"sessionid=3f1c0a9e7b5d"
_OFFER = b"Sec-WebSocket-Extensions: permessage-deflate\r\nCookie: " + COOKIE + b"\r\n"


def _deflated(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _reachable(start: object, others: tuple[object, ...]) -> list[object]:
    """Find what an object leads to, apart from code and what is shared by all."""
    seen = {id(each): each for each in others}
    found, waiting = [], [start]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen and not isinstance(each, type | FunctionType | ModuleType):
            seen[id(each)] = each
            found.append(each)
            waiting += gc.get_referents(each)
    return found


class KeepingTests(ListenerCase):
    """What a connection keeps after its handshake, a compressed message and a Ping."""

    def setUp(self) -> None:
        """Let a client do all of it, as browsers do."""
        super().setUp()
        self.listener()
        self.wire = self._client()

    def _client(self) -> MemoryTransport:
        _, wire = self.exchange(REQUEST.replace(b"Upgrade: w", _OFFER + b"Upgrade: w"))
        wire.deliver(frame(0xC1, _deflated(SUBSCRIBE)))
        wire.drain()
        self.assertIn(b"groups_joined", wire.taken)
        wire.taken.clear()
        self.reactor.advance(21)
        wire.drain()
        wire.deliver(frame(0x8A, bytes(wire.taken[2:])))
        return wire

    def _own(self) -> list[object]:
        factory = self.factory
        of_the_factory = (factory.settings, factory.session_counters, factory.timeouts)
        shared = (self, factory, *of_the_factory, self.reactor, self.hub, self.metrics, NOBODY)
        return _reachable(self.wire.protocol, (*shared, self.wire, factory.settings.limits))

    def test_attributes(self) -> None:
        """All attributes of Autobahn's and ours are in slots; Twisted's few are not."""
        self.assertEqual(
            vars(self.wire.protocol).keys(), {"factory", "connected", "transport", "peer"}
        )

    def test_size(self) -> None:
        """Python's objects of one connection, the transport aside, are some 3 KiB."""
        size = sum(sys.getsizeof(each) for each in self._own())
        self.assertLess(size, 4000)

    def test_handshake(self) -> None:
        """Nothing of the handshake is kept, the user's cookies least of all."""
        texts = [each for each in self._own() if isinstance(each, str | bytes)]
        self.assertGreater(len(texts), 1)
        for text in texts:
            self.assertNotIn(COOKIE.decode(), text if isinstance(text, str) else repr(text))

    def test_data(self) -> None:
        """What is left out when bytes come is a line for Autobahn's log, and no more."""
        code = WebSocketServerProtocol.dataReceived.__code__
        log_line = {"log", "debug", "hltype", "dataReceived", "hlval", "peer", "len"}
        self.assertEqual(set(code.co_names) - log_line, {"_dataReceived"})

    def test_inflating(self) -> None:
        """No inflater is kept, and the next message is inflated all the same."""
        kinds = {type(each) for each in self._own()}
        self.assertNotIn(type(zlib.decompressobj()), kinds)
        self.wire.deliver(frame(0x41, _deflated(SUBSCRIBE)[:5]))
        self.wire.deliver(frame(0x80, _deflated(SUBSCRIBE)[5:]))
        self.wire.drain()
        self.assertIn(b'"groups_current": ["jobs-1"]', self.wire.taken)

    def test_interleaved_messages(self) -> None:
        """Two clients whose messages come in pieces do not disturb each other."""
        other = self._client()
        for wire, first in ((self.wire, b'{"groups": {"jobs"'), (other, b'{"groups": {"teams"')):
            wire.deliver(frame(0x01, first))
        for wire in (self.wire, other):
            wire.deliver(frame(0x89, b"x"))
            wire.deliver(frame(0x80, b": [2]}}"))
            wire.drain()
        self.assertIn(b'"groups_joined": ["jobs-2"]', self.wire.taken)
        self.assertIn(b'"groups_joined": ["teams-2"]', other.taken)


class OptionsTests(ListenerCase):
    """Options that are attributes of the class."""

    def test_each_factory_has_its_own(self) -> None:
        """Two listeners do not share them, and none is copied to a connection."""
        small, large = self.listener(max_message=200), self.listener(max_message=300)
        sizes = [each.protocol.__dict__["maxMessagePayloadSize"] for each in (small, large)]
        self.assertEqual(sizes, [200, 300])
        self.assertFalse(hasattr(ClientProtocol, "maxMessagePayloadSize"))
        self.assertTrue(issubclass(small.protocol, ClientProtocol))

    def test_all_are_there(self) -> None:
        """Whatever options Autobahn has, the class has them with the factory's values."""
        factory = self.listener()
        for name in ClientProtocol.CONFIG_ATTRS:
            self.assertEqual(getattr(factory.protocol, name), getattr(factory, name), name)
        # What Autobahn would copy, and format for its log.
        self.assertEqual(factory.protocol.CONFIG_ATTRS, ())


class LeavingTests(ListenerCase):
    """A connection that is over is gone, without the garbage collector."""

    def setUp(self) -> None:
        """Stop the garbage collector."""
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)
        self.listener()

    def _assert_gone(self, client: MemoryClient, leave: Callable[[MemoryClient], object]) -> None:
        protocol: Any = client.wire.protocol
        gone = [weakref.ref(protocol)]
        connection = protocol._connection
        if connection is not None:
            gone += [weakref.ref(protocol), weakref.ref(client.wire)]
            self.assertIsNotNone(connection.session)
        leave(client)
        client.pump()
        self.reactor.advance(60)
        self.assertIsNotNone(client.wire.closed)
        # Twisted's TCP transports forget their protocols, this one keeps it for the tests.
        del protocol, connection, client.wire.protocol, client.wire
        self.assertEqual([each() for each in gone], [None] * len(gone))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """After a client that is switched off."""
        self._assert_gone(self.subscriber("jobs-1"), MemoryClient.leave)

    def test_closed_by_client(self) -> None:
        """After a client's Close."""
        close = frame(0x88, struct.pack("!H", 1001))
        self._assert_gone(self.subscriber("jobs-1"), lambda client: client.wire.deliver(close))

    def test_closed_by_server(self) -> None:
        """After our Close, answered or not."""
        for silent in (False, True):
            client = self.subscriber("jobs-1")
            client.silent = silent
            self._assert_gone(
                client, lambda _: self.factory.crowd.close_all(CloseCode.SERVICE_RESTART, "stop")
            )

    def test_closed_soon(self) -> None:
        """After a gap."""

        def leave(_: MemoryClient) -> None:
            self.hub.gap("why")
            self.reactor.advance(5)

        self._assert_gone(self.subscriber("jobs-1"), leave)

    def test_ping_timeout(self) -> None:
        """After a Ping without an answer."""
        client = self.subscriber("jobs-1")
        client.silent = True
        self._assert_gone(client, lambda _: self.reactor.advance(20))

    def test_authentication(self) -> None:
        """While it is being found out who it is, whoever gives up first."""
        self.listener(FakeAuthenticator(Deferred))
        for leave in (MemoryClient.leave, lambda _: self.reactor.advance(AUTHENTICATION_TIMEOUT)):
            self._assert_gone(MemoryClient(self.reactor, self.factory).connect(), leave)

    def test_unavailable(self) -> None:
        """If it cannot be found out who it is."""
        self.listener(FakeAuthenticator(lambda: fail(Unavailable("away"))))
        self._assert_gone(MemoryClient(self.reactor, self.factory), MemoryClient.connect)

    def test_refused(self) -> None:
        """After a handshake that is refused."""
        client = MemoryClient(self.reactor, self.factory, "/elsewhere/")
        self._assert_gone(client, MemoryClient.connect)
