"""A broker for tests: the other end of a connection in memory, speaking real bytes.

It encodes and decodes with pika, so that no mistake of our own codec can cancel itself out.
"""

import struct
from collections.abc import Iterator
from typing import Any

from pika import frame as pika_frame
from pika import spec
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from towerws.amqp.channel import Channel
from towerws.amqp.client import Client
from towerws.amqp.deliveries import Delivery
from towerws.amqp.frames import OVERHEAD, FrameReader
from towerws.core.broker_url import BrokerURL

URL = BrokerURL.parse("amqp://user:secret@broker.example/")

PROTOCOL_HEADER_SIZE = 8


@implementer(ITCPTransport)
class MemoryTransport(StringTransport):
    """A transport that closes as TCP does: ``connectionLost`` comes a turn of the reactor later.

    Attributes:
        aborted: Whether it was told to drop the connection.
        stuck: Whether the peer takes no bytes, so that ``loseConnection`` has no end.
    """

    protocol: Protocol

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.aborted = False
        self.stuck = False
        self.options: dict[str, bool] = {}
        self._clock = clock

    def loseConnection(self) -> None:
        """Close when all is written."""
        self.disconnecting = True
        if not self.stuck:
            self._clock.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:
        """Close now."""
        self.aborted = True
        self._clock.callLater(0, self.lose, ConnectionLost())

    def lose(self, reason: Exception) -> None:
        """Be closed."""
        if not self.disconnected:
            self.disconnected = True
            self.protocol.connectionLost(Failure(reason))

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - ITCPTransport
        """Note the option."""
        self.options["nodelay"] = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802 - ITCPTransport
        """Note the option."""
        self.options["keepalive"] = enabled

    def getTcpNoDelay(self) -> bool:  # noqa: N802 - ITCPTransport
        """Tell the option."""
        return self.options["nodelay"]

    def getTcpKeepAlive(self) -> bool:  # noqa: N802 - ITCPTransport
        """Tell the option."""
        return self.options["keepalive"]

    def loseWriteConnection(self) -> None:
        """Close one direction, which nobody does here."""
        raise NotImplementedError


class ScriptedBroker:
    """One connection: a client under test, and what a broker says to it.

    Attributes:
        clock: The client's time.
        client: The client, connected but not yet spoken to.
        transport: Its transport.
        batches: What ``on_deliveries`` was called with.
        blocks: What ``on_blocked`` was called with.
    """

    def __init__(self, url: BrokerURL = URL, **options: Any) -> None:
        self.clock = Clock()
        self.batches: list[list[Delivery]] = []
        self.blocks: list[tuple[bool, str]] = []
        options.setdefault("on_deliveries", self.batches.append)
        options.setdefault("on_blocked", lambda *block: self.blocks.append(block))
        self.client = Client(url, clock=self.clock, **options)
        self.transport = MemoryTransport(self.clock)
        self.transport.protocol = self.client
        self._unread = b""

    @property
    def deliveries(self) -> list[Delivery]:
        """All deliveries so far, in order."""
        return [delivery for batch in self.batches for delivery in batch]

    def connect(self) -> None:
        """Let the transport be connected, and swallow the protocol header."""
        self.client.makeConnection(self.transport)
        assert self.transport.value() == b"AMQP\x00\x00\x09\x01", self.transport.value()
        self.transport.clear()

    def start(
        self, mechanisms: str = "AMQPLAIN PLAIN", **properties: Any
    ) -> spec.Connection.StartOk:
        """Send ``connection.start`` and take the answer."""
        self.send(
            spec.Connection.Start(
                server_properties={"product": "Scripted", **properties}, mechanisms=mechanisms
            )
        )
        return self.take(spec.Connection.StartOk)

    def tune(
        self, channel_max: int = 2047, frame_max: int = 131072, heartbeat: int = 60
    ) -> spec.Connection.TuneOk:
        """Send ``connection.tune`` and take both answers."""
        self.send(spec.Connection.Tune(channel_max, frame_max, heartbeat))
        answer = self.take(spec.Connection.TuneOk)
        self.take(spec.Connection.Open)
        return answer

    def handshake(self, **tune: int) -> None:
        """Do everything up to the open vhost."""
        self.connect()
        self.start()
        self.tune(**tune)
        self.send(spec.Connection.OpenOk())

    def open_channel(self, channel_id: int = 1) -> Channel:
        """Let the client open a channel."""
        opened: list[Channel] = []
        self.client.open_channel(channel_id).addCallback(opened.append)
        self.take(spec.Channel.Open, channel_id)
        self.send(spec.Channel.OpenOk(), channel_id)
        return opened[0]

    def confirming_channel(self, channel_id: int = 1) -> Channel:
        """Let the client open a channel in confirm mode."""
        channel = self.open_channel(channel_id)
        channel.confirm_select()
        self.take(spec.Confirm.Select, channel_id)
        self.send(spec.Confirm.SelectOk(), channel_id)
        return channel

    def send(self, method: Any, channel_id: int = 0) -> None:
        """Send a method."""
        self.send_bytes(method_bytes(method, channel_id))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.client.dataReceived(data)

    def received(self) -> list[Any]:
        """Take the frames that the client has sent since the last call."""
        data = self._unread + self.transport.value()
        self.transport.clear()
        frames = []
        while data:
            size, frame = pika_frame.decode_frame(data)
            assert size, f"the client sent half a frame: {data!r}"
            frames.append(frame)
            data = data[size:]
        return frames

    def take(self, kind: type[Any], channel_id: int = 0) -> Any:
        """Take the next frame, which must be a certain method."""
        frames = self.received()
        assert frames, f"the client sent nothing, where {kind} was expected"
        first, rest = frames[0], frames[1:]
        self._unread = b"".join(frame.marshal() for frame in rest)
        assert isinstance(first.method, kind), first
        assert first.channel_number == channel_id, first
        return first.method

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps that no timer of the client is too coarse for."""
        self.clock.pump([0.5] * int(seconds * 2))

    def settle(self) -> None:
        """Let what was scheduled for the next turn of the reactor happen."""
        self.clock.advance(0)


def method_bytes(method: Any, channel_id: int = 0) -> bytes:
    """Encode a method as a frame."""
    data: bytes = pika_frame.Method(channel_id, method).marshal()
    return data


def delivery_bytes(
    body: bytes = b"{}",
    *,
    channel_id: int = 1,
    tag: int = 1,
    routing_key: str = "jobs-status_changed",
    redelivered: bool = False,
    consumer: str = "consumer",
    exchange: str = "towerws.events",
    chunk: int = 131064,
    **properties: Any,
) -> bytes:
    """Encode a whole delivery."""
    return b"".join(
        [
            method_bytes(
                spec.Basic.Deliver(consumer, tag, redelivered, exchange, routing_key),
                channel_id,
            ),
            pika_frame.Header(channel_id, len(body), spec.BasicProperties(**properties)).marshal(),
            *(
                pika_frame.Body(channel_id, body[start : start + chunk]).marshal()
                for start in range(0, len(body), chunk)
            ),
        ]
    )


def delivery_with_headers(table: bytes, body: bytes = b"{}") -> bytes:
    """Encode a delivery whose headers are given as bytes, be they right or wrong."""
    properties = struct.pack(">HHQH", 60, 0, len(body), 1 << 13) + table
    deliver = spec.Basic.Deliver("consumer", 1, False, "towerws.events", "jobs-summary")
    return b"".join(
        [method_bytes(deliver, 1), frame_bytes(2, 1, properties), frame_bytes(3, 1, body)]
    )


def frame_bytes(kind: int, channel_id: int, payload: bytes) -> bytes:
    """Encode a frame of any kind."""
    return struct.pack(">BHI", kind, channel_id, len(payload)) + payload + b"\xce"


def read_frames(reader: FrameReader, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Give a reader the next bytes, and take the frames that are complete."""
    data = reader.join(data)
    offset = 0
    while (frame := reader.cut(data, offset)) is not None:
        yield frame
        offset += len(frame[2]) + OVERHEAD
