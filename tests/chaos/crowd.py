"""Hundreds of clients in one asyncio process, over real sockets."""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.chaos.subscriber import SUBPROTOCOL, Subscriber

#: Seconds for a connection and its first frame. The server answers handshakes within 3 s.
_OPENING_TIMEOUT = 5.0

#: Seconds until the next attempt: the first one, and the longest. Half of it is random.
_SOONEST, _LATEST = 0.1, 2.0

#: Seconds that a client waits for the Close behind a reconnect frame before it leaves by itself.
_PATIENCE = 15.0

#: Seconds between looks at the clock.
_TICK = 0.1


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server can be reached.

    Attributes:
        name: The server's.
        port: Of the proxy in front of it, on loopback.
    """

    name: str
    port: int


class Connection(asyncio.Protocol):
    """One websocket connection of a client."""

    def __init__(self, client: "Client", address: Address, *, compress: bool) -> None:
        """Begin with the handshake.

        Args:
            client: Whose it is.
            address: Where it leads.
            compress: Whether to offer permessage-deflate.
        """
        self._client = client
        self._address = address
        self._transport: asyncio.Transport | None = None
        self._websocket = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:{address.port}/websocket/"),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            extensions=[ClientPerMessageDeflateFactory()] if compress else None,
            max_size=None,
        )
        self.heard = time.monotonic()
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast(asyncio.Transport, transport)
        if self._ended:
            self._transport.abort()
            return
        self._websocket.send_request(self._websocket.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what the server sends."""
        self._websocket.receive_data(data)
        self.heard = now = time.monotonic()
        for event in self._websocket.events_received():
            if self._ended:
                return
            if isinstance(event, Response):
                self._answered(event, now)
            elif isinstance(event, Frame):
                self._take(event, now)
        failure = self._websocket.parser_exc or self._websocket.handshake_exc
        if failure is not None and not self._ended:
            self._fail(failure, now)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """End without a Close."""
        self.end("lost without a Close")

    def send(self, text: str) -> None:
        """Send a text frame."""
        self._websocket.send_text(text.encode())
        self._flush()

    def end(self, how: str, *, politely: bool = False) -> None:
        """Give the connection up, and tell the client. Idempotent.

        Args:
            how: Why, for the log.
            politely: Send what there is, a Close included, instead of dropping everything.
        """
        if self._ended:
            return
        self._ended = True
        if self._transport is not None:
            if politely:
                self._flush()
                self._transport.close()
            else:
                self._transport.abort()
        self._client.disconnected(how)

    def leave(self, how: str) -> None:
        """Close in order, on the client's own wish.

        Args:
            how: Why, for the log.
        """
        if self._websocket.state is State.OPEN:  # else the server's Close came with its news
            self._websocket.send_close(1000)
        self.end(how, politely=True)

    def _answered(self, response: Response, now: float) -> None:
        if self._websocket.handshake_exc is not None:
            if response.status_code != 503:
                self._client.subscriber.log.fault(now, f"HTTP {response.status_code}")
            self.end(f"HTTP {response.status_code}")
        elif self._websocket.subprotocol != SUBPROTOCOL:
            self._client.subscriber.log.fault(now, f"subprotocol {self._websocket.subprotocol}")
            self.end("another subprotocol")
        else:
            self._client.subscriber.connected(now, self._address.name)

    def _take(self, frame: Frame, now: float) -> None:
        if frame.opcode is Opcode.TEXT and frame.fin:
            answer = self._client.subscriber.received(bytes(frame.data).decode(), now)
            if answer is not None:
                self.send(answer)
            if self._client.subscriber.reconnect_after is not None:
                self._client.sent_away(now)
        elif frame.opcode is Opcode.CLOSE:
            code = self._websocket.close_rcvd.code if self._websocket.close_rcvd else 1005
            if code not in {1000, 1012, 1013}:
                self._client.subscriber.log.fault(now, f"Close {code}")
            self.end(str(int(code)), politely=True)
        elif frame.opcode not in {Opcode.PING, Opcode.PONG}:
            self._client.subscriber.log.fault(now, f"a frame {frame.opcode.name}, fin {frame.fin}")

    def _fail(self, failure: Exception, now: float) -> None:
        # The end in the middle of a frame is what a cut connection looks like.
        if not isinstance(failure, EOFError):
            self._client.subscriber.log.fault(now, f"not a websocket's: {failure!r}")
        self.end("failed")

    def _flush(self) -> None:
        for data in self._websocket.data_to_send():
            if data and self._transport is not None and not self._transport.is_closing():
                self._transport.write(data)


class Client:
    """One client that comes back whatever happens.

    Attributes:
        subscriber: What it knows and saw.
    """

    def __init__(
        self, subscriber: Subscriber, addresses: Sequence[Address], chance: random.Random
    ) -> None:
        """Begin without a connection; nothing happens before `start`.

        Args:
            subscriber: What it knows.
            addresses: Servers that it may connect to, in turn.
            chance: For its habits: whether it compresses, changes servers, waits for a Close.
        """
        self.subscriber = subscriber
        self._addresses = addresses
        self._chance = chance
        self._compress = chance.random() < 0.3
        # Closes at once when it is sent away, rather than wait for the server's Close.
        self._is_hasty = chance.random() < 0.5
        self._turn = chance.randrange(len(addresses))
        self._failures = 0
        self._connection: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._back_at: float | None = None
        self._stopped = False

    def start(self) -> None:
        """Connect, and again whenever a connection ends."""
        self._timer = None
        address = self._addresses[self._turn % len(self._addresses)]
        self._connection = connection = Connection(self, address, compress=self._compress)
        task = asyncio.get_running_loop().create_task(self._connect(connection, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Leave for good."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._connection.end("the end")

    def tick(self, now: float) -> None:
        """Look at the clock: has the server been silent for too long?

        Args:
            now: Seconds.
        """
        if self._connection is None:
            return
        heartbeat = self.subscriber.heartbeat
        patience = _OPENING_TIMEOUT if heartbeat is None else 2 * heartbeat
        if now - self._connection.heard > patience:
            self._connection.end(f"silent for {patience:g} s")
        elif self._back_at is not None and now > self._back_at + _PATIENCE:
            self.subscriber.log.fault(now, "sent away, but not closed")
            self._connection.end("not closed")

    def change(self, wanted: Sequence[str], now: float) -> None:
        """Want other groups."""
        frame = self.subscriber.change(wanted, now)
        if frame is not None and self._connection is not None:
            self._connection.send(frame)

    def sent_away(self, now: float) -> None:
        """Take note that the server is about to close, and when to come back."""
        if self._back_at is None:
            assert self.subscriber.reconnect_after is not None
            self._back_at = now + self.subscriber.reconnect_after
            if self._is_hasty and self._connection is not None:
                self._connection.leave("sent away")

    def disconnected(self, how: str) -> None:
        """Come back, after a while, to the same server or to another."""
        now = time.monotonic()
        failed = self.subscriber.heartbeat is None
        self._connection = None
        self.subscriber.disconnected(now, how)
        self.subscriber.heartbeat = None
        if self._stopped:
            return
        self._failures = self._failures + 1 if failed else 0
        if failed or self._chance.random() < 0.5:
            self._turn += 1
        delay = min(_LATEST, _SOONEST * 2**self._failures) * (0.5 + self._chance.random() / 2)
        if self._back_at is not None:
            delay, self._back_at = max(0.0, self._back_at - now), None
        self._timer = asyncio.get_running_loop().call_later(delay, self.start)

    async def _connect(self, connection: Connection, address: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_OPENING_TIMEOUT):
                await loop.create_connection(lambda: connection, "127.0.0.1", address.port)
        except (OSError, TimeoutError):
            connection.end("cannot connect")


class Crowd:
    """All clients.

    Attributes:
        clients: Each of them.
    """

    def __init__(self, clients: Sequence[Client], groups: Sequence[str], seed: int) -> None:
        """Gather them; nothing happens before `start`.

        Args:
            clients: Each of them.
            groups: What they choose from when they change what they hear.
            seed: For who changes what, and when.
        """
        self.clients = clients
        self._groups = groups
        self._chance = random.Random(seed)
        self._task: asyncio.Task[None] | None = None
        #: Changes of groups in a second, all clients together.
        self.restlessness = 0.0

    def start(self) -> None:
        """Let them come, over a second."""
        loop = asyncio.get_running_loop()
        for client in self.clients:
            loop.call_later(self._chance.random(), client.start)
        self._task = loop.create_task(self._watch())

    async def stop(self) -> None:
        """Let all of them leave."""
        if self._task is not None:
            self._task.cancel()
        for client in self.clients:
            client.stop()
        await asyncio.sleep(0)

    @property
    def settled(self) -> int:
        """How many are connected and know that their subscription is in force."""
        return sum(client.subscriber.is_settled for client in self.clients)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            for client in self.clients:
                client.tick(now)
            if self._chance.random() < self.restlessness * _TICK:
                client = self._chance.choice(self.clients)
                client.change(self._other_groups(client.subscriber.wanted), now)

    def _other_groups(self, wanted: Collection[str]) -> list[str]:
        """Give what a client hears, but one of it for another."""
        kept = self._chance.sample(sorted(wanted), len(wanted) - 1)
        others = [group for group in self._groups if group not in wanted]
        return [*kept, self._chance.choice(others or sorted(wanted))]
