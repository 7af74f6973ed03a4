"""A websocket listener and its clients in memory: no socket, no reactor.

The server's transport is Twisted's own `FileDescriptor`, so buffering, pausing of producers and the
ways to close are those of a TCP connection; only the kernel is played here. The client is the
python-websockets library's protocol without I/O.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from txaio import tx
from websockets.client import ClientProtocol
from websockets.extensions import ClientExtensionFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.hubs import PROCESS, make_hub
from tests.metrics import read_sample
from tests.revoking import Revoking
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IUser
from towerws.auth.portal import NOBODY
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions
from towerws.embedded import EmbeddedSource
from towerws.factory import ClientFactory, Settings
from towerws.websocket.handshake import Authenticator

_PEER = IPv4Address("TCP", "127.0.0.1", 40_000)


class MemoryTransport(FileDescriptor):
    """The server's end of a TCP connection whose other end is a list of bytes.

    Attributes:
        taken: What the kernel took and the other end has not read yet.
        stalled: True while the kernel takes nothing: the other end does not read.
        closed: Why the connection is over; None while it is there.
        no_delay: Whether small writes are sent at once.
    """

    no_delay = False

    def __init__(
        self, reactor: MemoryReactorClock, factory: "Factory[Any]", peer: IAddress = _PEER
    ) -> None:
        """Accept a connection from an address."""
        super().__init__(reactor)
        self._peer = peer
        self._memory = reactor
        self.taken = bytearray()
        self.stalled = False
        self.closed: Failure | None = None
        self.connected = 1
        protocol = factory.buildProtocol(self.getPeer())
        assert protocol is not None
        self.protocol: Protocol = protocol
        self.protocol.makeConnection(self)
        self.startReading()

    def getHost(self) -> IAddress:  # Twisted's name
        """Name the server's end."""
        return IPv4Address("TCP", "127.0.0.1", 8051)

    def getPeer(self) -> IAddress:  # noqa: N802  # Twisted's name
        """Name the client's end."""
        return self._peer

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802  # Twisted's name
        """Send small writes at once, or not."""
        self.no_delay = enabled

    def logPrefix(self) -> str:  # noqa: N802  # Twisted's name
        """Name it in logs."""
        return "memory"

    def writeSomeData(self, data: bytes) -> int:  # noqa: N802  # Twisted's name
        """Take data in place of the kernel."""
        if self.stalled:
            return 0
        self.taken += data
        return len(data)

    def connectionLost(self, reason: Failure) -> None:
        """End the connection, once."""
        if self.closed is None:
            self.closed = reason
            super().connectionLost(reason)
            self.protocol.connectionLost(reason)

    def abortConnection(self) -> None:
        """Drop what is buffered and end the connection, as `twisted.internet.tcp` does: soon."""
        if self.connected:
            self.stopReading()
            self.stopWriting()
            self._memory.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def deliver(self, data: bytes) -> None:
        """Let the client send; what nobody reads any more is lost."""
        if data and self in self._memory.readers:
            self.protocol.dataReceived(data)

    def drain(self) -> None:
        """Write out all that the kernel takes."""
        while self in self._memory.writers and not self.stalled:
            over = self.doWrite()
            if over is not None:
                self.connectionLost(Failure(ConnectionDone()))

    @property
    def buffered(self) -> int:
        """How many bytes wait for the kernel."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen


class MemoryClient:
    """One python-websockets client of a factory.

    Attributes:
        wire: The server's end of the connection.
        protocol: The library's protocol, with the close code that came.
        frames: Data frames that came, decompressed.
        pings: Payloads of the pings that came.
        silent: True while the client sends nothing by itself: no Pong, no answer to a Close.
    """

    def __init__(
        self,
        reactor: MemoryReactorClock,
        factory: Factory,
        path: str = "/websocket/",
        *,
        headers: Sequence[tuple[str, str]] = (),
        extensions: Sequence[ClientExtensionFactory] | None = None,
        peer: IAddress = _PEER,
        subprotocols: Sequence[str] = (),
    ) -> None:
        """Prepare a client and connect the transport; `connect` begins to speak."""
        self.wire = MemoryTransport(reactor, factory, peer)
        self.protocol = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:8051{path}"),
            extensions=extensions,
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            max_size=None,
        )
        self.frames: list[Frame] = []
        self.pings: list[bytes] = []
        self.response: Response | None = None
        self.silent = False
        self._reactor = reactor
        self._headers = headers

    def connect(self) -> "MemoryClient":
        """Send the handshake, and take the answer if it comes at once."""
        request = self.protocol.connect()
        for name, value in self._headers:
            request.headers[name] = value
        self.protocol.send_request(request)
        self.pump(even_if_silent=True)
        return self

    def pump(self, *, even_if_silent: bool = False) -> None:
        """Carry bytes both ways until nothing moves."""
        while True:
            outgoing = b"".join(self.protocol.data_to_send())
            if outgoing and (even_if_silent or not self.silent):
                self.wire.deliver(outgoing)
            self.wire.drain()
            incoming = bytes(self.wire.taken)
            self.wire.taken.clear()
            if incoming:
                self.protocol.receive_data(incoming)
                self._take_events()
            elif not outgoing:
                break
            self._reactor.advance(0)
        if self.wire.closed is not None and self.protocol.state is not State.CLOSED:
            self.protocol.receive_eof()

    def send(self, text: str | bytes) -> None:
        """Send a text message in one frame."""
        self.protocol.send_text(text.encode() if isinstance(text, str) else text)
        self.pump(even_if_silent=True)

    def texts(self) -> list[bytes]:
        """Take out the messages that came."""
        self.pump()
        frames, self.frames = self.frames, []
        assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in frames)
        return [bytes(frame.data) for frame in frames]

    def leave(self) -> None:
        """Go without a word, as a machine that is switched off."""
        self.wire.connectionLost(Failure(ConnectionLost()))

    @property
    def close_code(self) -> int | None:
        """The code of the server's Close frame; None if none came."""
        return None if self.protocol.close_rcvd is None else int(self.protocol.close_rcvd.code)

    def _take_events(self) -> None:
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.response = event
            elif isinstance(event, Frame) and event.opcode is Opcode.PING:
                self.pings.append(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self.frames.append(event)


class FakeAuthenticator:
    """An authenticator that a test tells what to say.

    Attributes:
        answer: Called for each handshake.
        shown: The handshakes that it was asked about.
    """

    def __init__(self, answer: "Callable[[], Deferred[IUser | None]] | None" = None) -> None:
        """Let everybody in unless told otherwise."""
        self.answer = answer or (lambda: succeed(NOBODY))
        self.shown: list[Handshake] = []

    def authenticate(self, handshake: Handshake) -> "Deferred[IUser | None]":
        """Answer as told; see `towerws.websocket.handshake.Authenticator`."""
        self.shown.append(handshake)
        return self.answer()


class ListenerCase(SynchronousTestCase):
    """A test with a listener in memory.

    Attributes:
        reactor: Its clock is moved by the test; Autobahn's timers run on it too.
        metrics: What the listener counts.
        hub: The hub behind it, with an embedded source.
    """

    def setUp(self) -> None:
        """Put all clocks into the test's hands."""
        self.reactor = MemoryReactorClock()
        # Autobahn's timers are not the factory's: txaio would take the global reactor.
        self.patch(tx.config, "loop", self.reactor)
        self.metrics = Metrics()
        self.offsets = LocalPositions(PROCESS)
        self.hub = make_hub(self.metrics, positions=self.offsets)
        self.hub.attach(EmbeddedSource(self.hub, Revoking().revocations, self.offsets.next))

    def listener(
        self, authenticator: Authenticator | None = None, **settings: Any
    ) -> ClientFactory:
        """Make a listener, which stays at hand as `factory`."""
        self.factory = ClientFactory(
            self.hub,
            authenticator or FakeAuthenticator(),
            Settings(**settings),
            self.metrics,
            self.reactor,
        )
        return self.factory

    def client(self, path: str = "/websocket/", **options: Any) -> MemoryClient:
        """Connect a client, and take the frame that greets it."""
        client = MemoryClient(self.reactor, self.factory, path, **options).connect()
        self.assertEqual(client.texts(), [b'{"accept": true, "user": null}'])
        return client

    def subscriber(self, *groups: str, **options: Any) -> MemoryClient:
        """Connect a client that listens to groups of the kind `jobs-1`."""
        client = self.client(**options)
        quoted = ", ".join(f'"{name.removeprefix("jobs-")}"' for name in groups)
        client.send(f'{{"groups": {{"jobs": [{quoted}]}}}}')
        (reply,) = client.texts()
        self.assertIn(b"groups_joined", reply)
        return client

    def exchange(self, request: bytes, peer: IAddress = _PEER) -> tuple[bytes, MemoryTransport]:
        """Send raw bytes on a new connection; give what came back, and the connection."""
        wire = MemoryTransport(self.reactor, self.factory, peer)
        wire.deliver(request)
        wire.drain()
        return bytes(wire.taken), wire

    def counted(self, name: str) -> float:
        """Read a number off the metrics page; see `read_sample`."""
        return read_sample(self.metrics, name)
