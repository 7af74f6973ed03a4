"""The AMQP client: one connection to one broker, from the first byte to the reason of its end."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from txamqp.protocol import AMQClient

from towerws.amqp.channel import Channel
from towerws.amqp.confirms import ConfirmLimits
from towerws.amqp.delegate import Delegate
from towerws.amqp.deliveries import MAX_BODY, Delivery
from towerws.amqp.errors import (
    AMQPError,
    ConnectionAborted,
    ConnectionLost,
    DecodeError,
    ProtocolViolation,
)
from towerws.amqp.frames import HEARTBEAT_FRAME, PROTOCOL_HEADER, pack_ack
from towerws.amqp.heartbeat import Heartbeat
from towerws.amqp.lifetime import LINGER, Lifetime
from towerws.amqp.losses import describe_loss
from towerws.amqp.pause import ReadPause
from towerws.amqp.receiver import Receiver
from towerws.amqp.specification import load_specification
from towerws.core.broker_url import BrokerURL


class Client(AMQClient):
    """txamqp's client, hardened: whatever goes wrong, the connection ends and says why.

    Replaced are framing (`Receiver`), codec, request path (`Channel`), reactions to the broker
    (`Delegate`), heartbeats and ways to end. txamqp's queues, locks and writer loop are not used.

    Made by `towerws.amqp.connect.connect`, which also runs the handshake to its end.

    Attributes:
        ready: Fires once when the handshake is over: with ``None``, or with why it failed.
        blocked: Why the broker takes no messages for now, or ``None`` (``connection.blocked``).
        server_properties: What the broker says about itself: product, version, cluster_name, ...
        heartbeat: The negotiated heartbeat interval in seconds, 0 for none.
        pause: When the transport rests from reading.
        reply_timeout: Seconds the broker may owe us answers without giving one.
        confirm_limits: How many publishes may wait for confirmation on a channel.
    """

    channelClass = Channel  # noqa: N815 - txamqp's name
    _log = Logger()

    def __init__(
        self,
        url: BrokerURL,
        *,
        clock: IReactorTime,
        on_deliveries: Callable[[list[Delivery]], None],
        on_blocked: Callable[[bool, str], None] | None = None,
        max_body: int = MAX_BODY,
        connection_name: str = "towerws",
        reply_timeout: float = 30.0,
        confirm_limits: ConfirmLimits | None = None,
    ) -> None:
        """Make a client that is not connected; see `towerws.amqp.connect.connect`."""
        delegate = Delegate(url.username, url.password, connection_name, url.heartbeat)
        super().__init__(delegate, url.vhost, load_specification(), clock=clock)
        self.reply_timeout = reply_timeout
        self.confirm_limits = confirm_limits or ConfirmLimits()
        self.ready: Deferred[AMQPError | None] = Deferred()
        self.blocked: str | None = None
        self.server_properties: dict[str, Any] = {}
        self._on_deliveries = on_deliveries
        self._on_blocked = on_blocked
        self._receiver = Receiver(
            self.channels, max_body, self._deliveries_received, delegate.method_received
        )
        self.heartbeat = 0
        self._heartbeat = Heartbeat(clock, self._beat, self._miss)
        self.pause = ReadPause(clock)
        self._channel_max = 0
        self._lifetime = Lifetime(clock)
        self.channels[0] = self.channelFactory(0, None, self)

    @property
    def frame_max(self) -> int:
        """The negotiated size of a whole frame in bytes."""
        return self._receiver.frame_max

    @property
    def lost(self) -> AMQPError | None:
        """Why the connection has ended, or is ending; ``None`` while it lives."""
        return self._lifetime.error

    def when_lost(self) -> Deferred[AMQPError]:
        """Wait for the end of the connection, which may have come already.

        Returns:
            Fires, never fails, with the reason once the transport is closed.
        """
        return self._lifetime.when_lost()

    def open_channel(self, channel_id: int) -> Deferred[Channel]:
        """Open a channel. None is ever closed alone: an error on one ends the connection.

        Args:
            channel_id: A number from 1 that is not in use.

        Returns:
            Fires with the channel, whose methods are those of the specification:
            ``queue_declare``, ``basic_consume``, ...

        Raises:
            ValueError: The number is in use, or larger than the broker allows.
        """
        if channel_id in self.channels or not 0 < channel_id <= self._channel_max:
            raise ValueError(f"channel {channel_id} is in use or not from 1 to {self._channel_max}")
        channel = self.channels[channel_id] = self.channelFactory(channel_id, None, self)
        opened: Deferred[Any] = channel.channel_open()
        return opened.addCallback(lambda _: channel)

    def ack(self, channel_id: int, delivery_tag: int, *, multiple: bool = False) -> None:
        """Acknowledge deliveries; nothing when the connection is over: the broker requeues them.

        Args:
            channel_id: The channel they came by.
            delivery_tag: The delivery, or the last one.
            multiple: Whether all before it are meant as well.
        """
        if self.lost is None and not self._lifetime.closing:
            self._write(pack_ack(channel_id, delivery_tag, multiple))

    def publish(
        self,
        channel_id: int,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Mapping[str, object],
    ) -> Deferred[None]:
        """Publish a message and wait until the broker has it.

        Args:
            channel_id: An open channel whose `Channel.confirm_select` was called.
            exchange: Where to publish.
            routing_key: With which routing key.
            body: The message.
            properties: By the names in `towerws.amqp.codec.PROPERTIES`.

        Returns:
            Fires with the broker's confirmation. Fails with `PublishBlocked`, `PublishOverflow` or
            `EncodeError` at once, nothing being sent; with `PublishRefused` if the broker could not
            take it; with the reason if the connection ends, when it may have been published.

        Raises:
            ValueError: The channel is not open, or not in confirm mode.
        """
        if channel_id not in self.channels:
            raise ValueError(f"channel {channel_id} is not open")
        channel: Channel = self.channels[channel_id]
        return channel.publish(exchange, routing_key, body, properties)

    def abort(self, reason: str) -> None:
        """Drop the connection at once.

        Args:
            reason: Why, for the log.
        """
        self.fail(ConnectionAborted(reason))

    def close(self, reason: str | None = None, within: float = LINGER) -> Deferred[None]:
        """Leave in order: no more deliveries, ``connection.close``, its answer, the transport.

        Args:
            reason: Why, for the log.
            within: Seconds the broker has to answer; 0 drops the connection at once.

        Returns:
            Fires when the connection is gone, at most some seconds later.
        """
        gone = self.when_lost().addCallback(lambda _: None)
        error = ConnectionAborted(reason or "this side closed the connection")
        if within <= 0 or not self._channel_max:
            self.fail(error)
        elif self.lost is None and not self._lifetime.closing:
            answered = self.channels[0].connection_close(
                reply_code=200, reply_text="the client is going"
            )
            self._lifetime.begin_closing(within, self.fail, error)
            answered.addBoth(lambda _: self.fail(error, flush=True))
        return gone

    def fail(self, reason: AMQPError, *, flush: bool = False) -> None:
        """End the connection, for a reason that everybody who waits gets to know. Idempotent.

        Args:
            reason: Why.
            flush: Send what is written yet, for a bounded time, before the transport closes.
        """
        if self.lost is not None:
            return
        self.closed = self._receiver.stopped = True
        self._heartbeat.stop()
        self.pause.end()
        self._lifetime.end(reason, self.transport, flush=flush)
        for channel in list(self.channels.values()):
            channel.fail(reason)
        if not self.ready.called:
            self.ready.callback(reason)
        if self.transport is None:
            self._lifetime.transport_closed(reason)

    def send(self, channel_id: int, data: bytes) -> None:
        """Write frames, for `Channel`.

        Args:
            channel_id: Their channel; while closing, only 0 may still be used.
            data: Whole frames.

        Raises:
            AMQPError: The connection is over; the reason.
        """
        self._lifetime.check(channel_id)
        self._write(data)

    def tune(self, channel_max: int, frame_max: int, heartbeat: int) -> None:
        """Put into force what `Delegate` negotiated.

        Args:
            channel_max: The highest channel number.
            frame_max: The size of a whole frame in bytes.
            heartbeat: The interval in seconds, 0 for none.
        """
        self._channel_max = channel_max
        self._receiver.frame_max = frame_max
        self.heartbeat = heartbeat
        self._heartbeat.start(heartbeat)

    def set_blocked(self, reason: str | None) -> None:
        """Note whether messages may be published, for `Delegate`.

        Args:
            reason: Why they must not, or ``None`` if they may.
        """
        self.blocked = reason
        if self._on_blocked is not None:
            self._on_blocked(reason is not None, reason or "")
        if reason is not None:
            for channel in list(self.channels.values()):
                channel.give_up_publishes(reason)

    def connectionMade(self) -> None:
        """Begin to speak; the broker answers with ``connection.start``."""
        if ITCPTransport.providedBy(self.transport):
            # Acknowledgements are small and must not wait for the answers to each other.
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        if self.lost is not None:
            self.transport.abortConnection()
            return
        self._write(PROTOCOL_HEADER)

    def dataReceived(self, data: bytes) -> None:
        """Take what the broker sent, cut anywhere."""
        if self.lost is not None:
            return
        self._heartbeat.received = True
        self.pause.received(len(data))
        try:
            self._receiver.receive(data)
        except (ProtocolViolation, DecodeError) as error:
            self.fail(error)
        except Exception:  # noqa: BLE001  # any fault of ours; the connection ends for it
            self._log.failure("while acting on what the broker sent")
            self.abort("an error of this side, which is in its log")

    def connectionLost(self, reason: Failure) -> None:
        """Tell everybody that the transport is closed, for a reason that it may know."""
        lost = ConnectionLost(describe_loss(reason, self.delegate.authenticating))
        self._lifetime.gone = True
        self.fail(lost)
        self._lifetime.transport_closed(self.lost or lost)

    def _deliveries_received(self, deliveries: list[Delivery]) -> None:
        # While closing they are left to the broker, to be requeued.
        if not self._lifetime.closing:
            self.pause.consider(self.transport, len(deliveries))
            self._on_deliveries(deliveries)

    def _write(self, data: bytes) -> None:
        self._heartbeat.sent = True
        self.transport.write(data)

    def _beat(self) -> None:
        self.transport.write(HEARTBEAT_FRAME)

    def _miss(self) -> None:
        silence = f"for {2 * self.heartbeat} s, not even a heartbeat"
        self.fail(ConnectionLost(f"nothing came from the broker {silence}"))
