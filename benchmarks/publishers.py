"""Ways to give events to servers: bytes on a connection, a burst in one write."""

import itertools
import json
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pika
from pika import frame, spec

from benchmarks import websocket
from benchmarks.measure import LOAD_CORE, on_core
from benchmarks.rivals import Publication, Step

_TIMEOUT = 10.0
_START_TIMEOUT = 60.0


class _Line:
    """A connection to 127.0.0.1 that is only written to while events flow."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> None:
        more = self._socket.recv(65536)
        if not more:
            raise RuntimeError(f"the server hung up on the publisher: {self.received[-200:]!r}")
        self.received += more

    def read_until(self, text: bytes) -> None:
        while text not in self.received:
            self.read()

    def drain(self) -> None:
        """Take what the server has answered so far, which must not fill its buffers."""
        self._socket.setblocking(False)
        try:
            while more := self._socket.recv(65536):
                self.received += more
        except BlockingIOError:
            pass
        self._socket.settimeout(_TIMEOUT)

    def close(self) -> None:
        self.drain()
        self._socket.close()


class FloorPublisher:
    """Gives events to `floor.c`."""

    def __init__(self, port: int) -> None:
        """Connect.

        Args:
            port: For events.
        """
        self._line = _Line(port)

    def publish(self, batch: Sequence[Publication]) -> None:
        """Publish, in one write."""
        parts = []
        for event in batch:
            parts += [event.group.to_bytes(4, "big"), len(event.payload).to_bytes(4, "big")]
            parts.append(event.payload)
        self._line.write(b"".join(parts))

    def close(self) -> None:
        """End."""
        self._line.close()


class AMQPPublisher:
    """Publishes to RabbitMQ. The frames are pika's; pika's connections would flush one by one."""

    def __init__(self, port: int, exchange: str, routing_key: Callable[[int], str]) -> None:
        """Connect as guest and open a channel.

        Args:
            port: Of the broker on this machine.
            exchange: Where to publish.
            routing_key: Makes that of a group.
        """
        self._line = _Line(port)
        self._exchange = exchange
        self._routing_key = routing_key
        self._properties = pika.BasicProperties(content_type="application/json")
        self._line.write(frame.ProtocolHeader().marshal())
        self._expect(spec.Connection.Start)
        self._send(0, spec.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"))
        tune = self._expect(spec.Connection.Tune)
        self._frame_max = tune.frame_max
        self._send(0, spec.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        self._send(0, spec.Connection.Open("/"))
        self._expect(spec.Connection.OpenOk)
        self._send(1, spec.Channel.Open())
        self._expect(spec.Channel.OpenOk)

    def publish(self, batch: Sequence[Publication]) -> None:
        """Publish, in one write."""
        parts = []
        for event in batch:
            method = spec.Basic.Publish(
                exchange=self._exchange, routing_key=self._routing_key(event.group)
            )
            assert len(event.payload) < self._frame_max - 8, "one body frame each"
            parts += [
                frame.Method(1, method).marshal(),
                frame.Header(1, len(event.payload), self._properties).marshal(),
                frame.Body(1, event.payload).marshal(),
            ]
        self._line.write(b"".join(parts))

    def close(self) -> None:
        """End; tell if the broker has closed the channel."""
        self._line.drain()
        if self._line.received:
            raise RuntimeError(f"RabbitMQ answered the publisher: {self._line.received[:200]!r}")
        self._line.close()

    def _send(self, channel: int, method: object) -> None:
        self._line.write(frame.Method(channel, method).marshal())

    def _expect(self, kind: type) -> Any:
        consumed, decoded = frame.decode_frame(self._line.received)
        while not consumed:
            self._line.read()
            consumed, decoded = frame.decode_frame(self._line.received)
        self._line.received = self._line.received[consumed:]
        assert isinstance(decoded, frame.Method) and isinstance(decoded.method, kind), decoded
        return decoded.method


class HTTPPublisher:
    """Posts each event; those of a burst one behind the other, without waiting for answers."""

    def __init__(self, port: int, path: Callable[[int], str]) -> None:
        """Connect.

        Args:
            port: Of the server on this machine.
            path: Makes that of a group.
        """
        self._line = _Line(port)
        self._port = port
        self._path = path

    def publish(self, batch: Sequence[Publication]) -> None:
        """Publish, in one write."""
        self._check()
        self._line.write(
            b"".join(
                b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s"
                % (self._path(event.group).encode(), self._port, len(event.payload), event.payload)
                for event in batch
            )
        )

    def close(self) -> None:
        """End; tell if an event was refused."""
        self._check()
        self._line.close()

    def _check(self) -> None:
        """Look at the answers so far; all of them but the last are complete."""
        self._line.drain()
        received, self._line.received = self._line.received, b""
        for answer in received.split(b"HTTP/1.1 ")[1:]:
            if not answer.startswith(b"20"):
                raise RuntimeError(f"the server refused an event: {answer[:200]!r}")


class WAMPPublisher:
    """Publishes to a WAMP router over a websocket of its own."""

    def __init__(self, port: int, path: str, topic: Callable[[int], str]) -> None:
        """Connect and join the realm.

        Args:
            port: Of the router on this machine.
            path: Of its websocket.
            topic: Makes that of a group.
        """
        self._line = _Line(port)
        self._topic = topic
        self._requests = itertools.count(1)
        for step in wamp_session(port, path, "publisher"):
            self._line.write(step.send)
            self._line.read_until(step.until or b"\r\n\r\n")
        self._line.received = b""

    def publish(self, batch: Sequence[Publication]) -> None:
        """Publish, in one write."""
        self._line.write(
            b"".join(
                websocket.client_frame(
                    b'[16,%d,{},"%s",[%s]]'
                    % (next(self._requests), self._topic(event.group).encode(), event.payload)
                )
                for event in batch
            )
        )

    def close(self) -> None:
        """End; tell if the router has answered, which it does to refuse something."""
        self._line.drain()
        if self._line.received:
            raise RuntimeError(f"the router answered: {self._line.received[:200]!r}")
        self._line.close()


def wamp_session(port: int, path: str, role: str) -> list[Step]:
    """Open a WAMP session over a websocket, in JSON.

    Args:
        port: Of the router on this machine.
        path: Of its websocket.
        role: ``subscriber`` or ``publisher``.
    """
    hello = json.dumps([1, "realm1", {"roles": {role: {}}}]).encode()
    return [
        websocket.opening(port, path, protocol="wamp.2.json"),
        Step(websocket.client_frame(hello), b"[2,"),
    ]


class PipePublisher:
    """Hands events to a process that publishes them: one line each, the group and the event."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process on the load's core.

        Args:
            command: Writes a line when it is ready, and ends when its input does.
            environment: Variables beside the inherited ones.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        with on_core(LOAD_CORE):
            self._process = subprocess.Popen(
                command,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _START_TIMEOUT)[0]:
            self._process.kill()
        if not self._process.stdout.readline():
            self.close()
            raise RuntimeError("the publisher did not get ready")

    def publish(self, batch: Sequence[Publication]) -> None:
        """Hand over, in one write."""
        assert self._process.stdin is not None
        self._process.stdin.write(
            b"".join(b"%d %s\n" % (event.group, event.payload) for event in batch)
        )
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise RuntimeError("the publisher had not published all") from None
        with self._errors:
            if self._process.returncode:
                self._errors.seek(0)
                words = self._errors.read()[-500:].decode(errors="replace")
                raise RuntimeError(f"the publisher ended: {words}")
