"""What the broker says of its own accord, and what is done about it."""

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from txamqp.client import TwistedDelegate
from txamqp.message import Message

from towerws import __version__
from towerws.amqp.channel import Channel
from towerws.amqp.errors import (
    AMQPError,
    AuthenticationFailed,
    ChannelClosed,
    ConnectionClosed,
    ConsumerCancelled,
    ProtocolViolation,
)
from towerws.amqp.frames import MAX_FRAME_SIZE, MIN_FRAME_SIZE
from towerws.amqp.specification import decode_method

if TYPE_CHECKING:
    from towerws.amqp.client import Client

_ACCESS_REFUSED = 403
_MAX_CHANNELS = 65535

#: What RabbitMQ does only for clients that say they understand it.
_CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "exchange_exchange_bindings": True,
    "publisher_confirms": True,
}


class Delegate(TwistedDelegate):
    """Answers the handshake and turns everything else that happens to us into one of few outcomes.

    Only the methods in its table are understood. Any other is a breach of protocol that ends the
    connection, where the stock delegate would raise ``AttributeError`` into a silent close.
    """

    client: "Client"

    def __init__(self, username: str, password: str, connection_name: str, heartbeat: int) -> None:
        """Prepare the handshake.

        Args:
            username: The user.
            password: Its password.
            connection_name: What the broker's operators shall see.
            heartbeat: The interval we want, in seconds; 0 for none.
        """
        super().__init__()
        self._response = f"\0{username}\0{password}"
        self._connection_name = connection_name
        self._heartbeat = heartbeat
        self._awaited = "connection.start"
        self._reactions = {
            "connection.start": self.connection_start,
            "connection.tune": self.connection_tune,
            "connection.close": self.connection_close,
            "connection.blocked": self.connection_blocked,
            "connection.unblocked": self.connection_unblocked,
            "channel.flow": self.channel_flow,
            "channel.close": self.channel_close,
            "basic.cancel": self.basic_cancel,
            "basic.ack": self.basic_ack,
            "basic.nack": self.basic_nack,
        }

    @property
    def authenticating(self) -> bool:
        """Whether the credentials were sent and the broker has not said yes."""
        return self._awaited == "connection.tune"

    def method_received(self, channel_id: int, payload: bytes) -> None:
        """Take a method of the broker: a reply, or an occasion of its own.

        Args:
            channel_id: The channel it came by.
            payload: The payload of its frame.

        Raises:
            ProtocolViolation: The broker should not have sent it, here or at all.
            DecodeError: It is malformed or unknown.
        """
        method, arguments = decode_method(payload)
        channel = self.client.channels.get(channel_id)
        if channel is None:
            raise ProtocolViolation(f"the broker sent a method on channel {channel_id}, not open")
        message = Message(method, arguments)
        if method.response:
            channel.take_reply(message)
        else:
            self.dispatch(channel, message)

    def dispatch(self, channel: Channel, message: Message) -> None:
        """React to a method that is not a reply.

        Args:
            channel: Where it came by.
            message: The method and its arguments.

        Raises:
            ProtocolViolation: The broker should not have sent it, here or at all.
        """
        name = f"{message.method.klass.name}.{message.method.name}"
        react = self._reactions.get(name)
        if react is None or name.startswith("connection.") != (channel.id == 0):
            raise ProtocolViolation(f"the broker sent an unexpected {name} on channel {channel.id}")
        react(channel, message)

    def connection_start(self, ch: Channel, msg: Message) -> None:
        """Say who we are."""
        self._advance("connection.start", "connection.tune")
        self.client.server_properties = msg.server_properties
        if "PLAIN" not in msg.mechanisms.split(" "):
            raise ProtocolViolation(f"the broker takes no PLAIN logins, only {msg.mechanisms:.80}")
        properties = {
            "product": "towerws",
            "version": __version__,
            "connection_name": self._connection_name,
            "capabilities": _CAPABILITIES,
        }
        self._or_fail(
            ch.connection_start_ok(
                client_properties=properties,
                mechanism="PLAIN",
                response=self._response,
                locale="en_US",
            )
        )

    def connection_tune(self, ch: Channel, msg: Message) -> None:
        """Settle sizes and heartbeat, and ask for the vhost: the credentials were good."""
        self._advance("connection.tune", "")
        frame_max = min(msg.frame_max or MAX_FRAME_SIZE, MAX_FRAME_SIZE)
        if frame_max < MIN_FRAME_SIZE:
            raise ProtocolViolation(f"the broker wants frames of {frame_max} bytes at most")
        channel_max = msg.channel_max or _MAX_CHANNELS
        # 0 is "off" when it is our own wish, and "as you like" when it is the broker's.
        heartbeat = min(self._heartbeat, msg.heartbeat or self._heartbeat)
        self._or_fail(
            ch.connection_tune_ok(channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)
        )
        self.client.tune(channel_max, frame_max, heartbeat)
        opened = ch.connection_open(virtual_host=self.client.vhost)
        self._or_fail(opened.addCallback(lambda _: self.client.ready.callback(None)))

    def connection_close(self, ch: Channel, msg: Message) -> None:
        """Agree, and end."""
        refused = self.authenticating and msg.reply_code == _ACCESS_REFUSED
        closed = AuthenticationFailed if refused else ConnectionClosed
        self._or_fail(ch.connection_close_ok())
        self.client.fail(closed(msg.reply_code, msg.reply_text), flush=True)

    def connection_blocked(self, ch: Channel, msg: Message) -> None:
        """Publish no more: the broker is short of memory or disk."""
        self.client.set_blocked(msg.reason)

    def connection_unblocked(self, ch: Channel, msg: Message) -> None:
        """Publish again."""
        self.client.set_blocked(None)

    def channel_flow(self, ch: Channel, msg: Message) -> None:
        """Confirm; RabbitMQ never asks, and we send nothing there that could wait."""
        self._or_fail(ch.channel_flow_ok(active=msg.active))

    def channel_close(self, ch: Channel, msg: Message) -> None:
        """Agree, and end the connection: consumers on the channel would wait for ever."""
        self._or_fail(ch.channel_close_ok())
        self.client.fail(ChannelClosed(ch.id, msg.reply_code, msg.reply_text), flush=True)

    def basic_cancel(self, ch: Channel, msg: Message) -> None:
        """End the connection: no more messages come from that queue."""
        self.client.fail(ConsumerCancelled(msg.consumer_tag))

    def basic_ack(self, ch: Channel, msg: Message) -> None:
        """Tell publishers that the broker has their messages."""
        self._settle(ch, msg, refused=False)

    def basic_nack(self, ch: Channel, msg: Message) -> None:
        """Tell publishers that the broker has lost their messages."""
        self._settle(ch, msg, refused=True)

    @staticmethod
    def _settle(ch: Channel, msg: Message, *, refused: bool) -> None:
        if ch.confirms is None:
            raise ProtocolViolation(f"the broker confirmed a message on channel {ch.id} unasked")
        ch.confirms.settle(msg.delivery_tag, multiple=msg.multiple, refused=refused)

    def _advance(self, received: str, awaited: str) -> None:
        if received != self._awaited:
            raise ProtocolViolation(f"the broker sent {received} a second time")
        self._awaited = awaited

    def _or_fail(self, sent: Deferred[Any]) -> None:
        """End the connection if a step of the conversation cannot be sent or is not answered."""
        sent.addErrback(self._fail)

    def _fail(self, failure: Failure) -> None:
        failure.trap(AMQPError)
        self.client.fail(cast(AMQPError, failure.value))
