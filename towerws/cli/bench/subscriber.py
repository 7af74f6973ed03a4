"""One connection of a load test: opens, subscribes, and takes note of each event."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from towerws.cli.bench import handshake, stamp
from towerws.cli.bench.frames import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameReader,
    Message,
    encode_frame,
)
from towerws.cli.bench.observations import Observations, count
from towerws.cli.bench.tally import Tally
from towerws.client import Refused, Subscription, Target
from towerws.client.conversation import Conversation
from towerws.client.happenings import Dropped, Event, Gap, Happening, Joined, Objection
from towerws.client.protocol import MAX_HANDSHAKE_BYTES

#: Longest message that is taken, in bytes: the server's default limit for events.
MAX_MESSAGE = 16 * 1024 * 1024

_NORMAL = (1000).to_bytes(2)


class NotSubscribed(Exception):
    """A connection ended before its subscription was in force: the text is half a sentence."""


class Subscriber(Protocol):
    """A websocket client that counts and times what it hears.

    Attributes:
        ready: Fires when the subscription is in force, or fails with `NotSubscribed`.
        gone: Fires when the connection is closed.
        group: The position of its group.
        subscribed: Whether the subscription was in force at any time.
        tally: Which events have come.
    """

    #: TCP, TLS or a Unix socket; `abortConnection` is in no interface that all of them have.
    transport: Any

    def __init__(
        self,
        target: Target,
        subscription: Subscription,
        group: int,
        observations: Observations,
        clock: Callable[[], int],
        *,
        subprotocol: str | None = None,
    ) -> None:
        """Take this for the moment at which connecting begins.

        Args:
            target: The server; the caller connects.
            subscription: What to ask for.
            group: The position of its group among all of the test.
            observations: Where all connections write what they see.
            clock: The publisher's clock, in nanoseconds.
            subprotocol: The websocket subprotocol to speak; none for profile "awx".
        """
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.group = group
        self.subscribed = False
        self.tally = Tally()
        self._target = target
        self._subscription = subscription
        self._seen = observations
        self._clock = clock
        self._began = clock()
        self._key = handshake.new_key()
        #: What has come of the answer to the handshake; None once that is complete.
        self._head: bytes | None = b""
        self._frames = FrameReader(MAX_MESSAGE)
        self._subprotocol = subprotocol
        self._conversation = Conversation(subscription, subprotocol)
        self._read_stamp = stamp.read_enveloped if subprotocol else stamp.read
        self._leaving = False
        #: Why the connection ends, once that is known.
        self._reason = ""

    def connectionMade(self) -> None:
        """Ask for a websocket."""
        headers = self._subscription.headers
        request = handshake.request(self._target, headers, self._key, self._subprotocol)
        self.transport.write(request)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes in. What they bring came at the moment of the read, for all of it."""
        now = self._clock()
        try:
            if self._head is not None:
                data = self._open(self._head + data, now)
            for message in self._frames.feed(data):
                event = self._read_stamp(message[1])
                if event is None:
                    self._take(message, now)
                    continue
                number, moment = event
                if self.tally.take(number) and moment >= self._seen.begin:
                    self._seen.latency.add(now - moment)
                    self._seen.last = now
        except (handshake.HandshakeError, FrameError, Refused) as error:
            self._end(str(error))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report the end of the connection."""
        if not self._reason:
            clean = reason.check(ConnectionDone)
            self._reason = "closed without a word" if clean else str(reason.value).rstrip(".")
        if not self._leaving:
            counter = self._seen.lost if self.subscribed else self._seen.failed
            count(counter, self._reason)
        if not self.subscribed:
            self.ready.errback(NotSubscribed(self._reason))
        self.gone.callback(None)

    def give_up(self) -> None:
        """Abort a connection whose subscription takes too long."""
        what = "answer to the handshake" if self._head is not None else "reply to the subscription"
        self._end(f"no {what} in time")

    def leave(self) -> None:
        """Begin to close the connection; the server answers by closing it."""
        self._leaving = True
        if self._head is None:
            self.transport.write(encode_frame(CLOSE, _NORMAL))
        else:
            self.transport.abortConnection()

    def abort(self) -> None:
        """Close the connection at once, after `leave`."""
        self.transport.abortConnection()

    def _open(self, head: bytes, now: int) -> bytes:
        """Take the answer to the handshake; give what came behind it."""
        self._head = head
        answer, end, rest = head.partition(b"\r\n\r\n")
        if len(answer) > MAX_HANDSHAKE_BYTES:
            raise handshake.HandshakeError(f"an answer of more than {MAX_HANDSHAKE_BYTES} bytes")
        if not end:
            return b""
        handshake.check(answer, self._key, self._subprotocol)
        self._head = None
        self._seen.opened.add(now - self._began)
        self.transport.write(encode_frame(TEXT, self._conversation.subscribe()))
        return rest

    def _take(self, message: Message, now: int) -> None:
        """Take what is no event."""
        opcode, payload = message
        if opcode == PING:
            self.transport.write(encode_frame(PONG, payload))
        elif opcode == CLOSE:
            words = f"{int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}"
            self._reason = f"closed with {words.rstrip()}" if payload else "closed without a code"
            if not self._leaving:
                self.transport.write(encode_frame(CLOSE, payload[:2]))
            self.transport.loseConnection()
        elif opcode != PONG:
            self._note(self._conversation.take(payload), now)

    def _note(self, happening: Happening, now: int) -> None:
        match happening:
            case Joined():
                if not self.subscribed:
                    self.subscribed = True
                    self._seen.subscribed.add(now - self._began)
                    self.ready.callback(None)
            case Objection(sentence=sentence):
                count(self._seen.errors, sentence)
            case Gap(why=why):
                count(self._seen.gaps, why)
            case Event() | Dropped():
                self._seen.surplus += 1

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        self.transport.abortConnection()
