"""Everything that can go wrong between us and a broker, as exceptions.

The text of each is a sentence for an operator; it never holds a password or the body of a message.
"""


class AMQPError(Exception):
    """The connection to the broker, or one operation on it, failed."""


class ConnectFailed(AMQPError):
    """No connection: the host is unknown, nothing listens, or a TLS file cannot be used."""


class HandshakeTimeout(AMQPError):
    """TCP, TLS and AMQP handshakes took longer together than the URL's ``connection_timeout``."""


class ConnectionLost(AMQPError):
    """The transport broke or fell silent: closed or reset by the peer, refused by TLS."""


class ConnectionAborted(AMQPError):
    """This side gave the connection up, for the reason in the text."""


class ProtocolViolation(AMQPError):
    """The peer sent what AMQP 0-9-1 does not allow, or what this client never asked for."""


class ReplyTimeout(AMQPError):
    """The broker stopped answering requests or confirming publishes, on an open socket."""


class BrokerClosed(AMQPError):
    """The broker closed something of ours, and said why.

    Attributes:
        code: AMQP's reply code, such as 404.
        broker_text: What the broker wrote, such as ``NOT_FOUND - no queue 'x' in vhost '/'``.
    """

    def __init__(self, what: str, code: int, broker_text: str) -> None:
        super().__init__(f"the broker {what}: {code} {broker_text}")
        self.code = code
        self.broker_text = broker_text


class AuthenticationFailed(BrokerClosed):
    """The broker did not accept user name and password."""

    def __init__(self, code: int, broker_text: str) -> None:
        super().__init__("refused the credentials", code, broker_text)


class ConnectionClosed(BrokerClosed):
    """The broker closed the connection: a missing vhost, a shutdown, an operator's command."""

    def __init__(self, code: int, broker_text: str) -> None:
        super().__init__("closed the connection", code, broker_text)


class ChannelClosed(BrokerClosed):
    """The broker closed a channel because of an error on it; the connection ended with it.

    Attributes:
        channel_id: The channel.
    """

    def __init__(self, channel_id: int, code: int, broker_text: str) -> None:
        super().__init__(f"closed channel {channel_id}", code, broker_text)
        self.channel_id = channel_id


class ConsumerCancelled(AMQPError):
    """The broker cancelled a consumer: its queue was deleted, or the queue's node went away.

    Attributes:
        consumer_tag: The consumer.
    """

    def __init__(self, consumer_tag: str) -> None:
        super().__init__(f"the broker cancelled the consumer {consumer_tag!r}: its queue is gone")
        self.consumer_tag = consumer_tag


class PublishError(AMQPError):
    """One message was not published, or not with certainty.

    The text says whether it was sent, and goes with "the broker did not confirm it: ".
    """


class PublishNotSent(PublishError):
    """No connection to publish by came about."""


class PublishRefused(PublishError):
    """The broker answered with ``basic.nack``: it could not take responsibility for the message."""


class PublishOverflow(PublishError):
    """Too many messages, or bytes of them, wait for the broker's confirmation."""


class PublishUnconfirmed(PublishError):
    """The message was sent and not confirmed; the broker may have it or not."""


class PublishBlocked(PublishError):
    """The broker takes no messages for now (``connection.blocked``: memory or disk alarm).

    What was sent shortly before may still be taken when the alarm is over.
    """


class EncodeError(AMQPError, ValueError):
    """A value cannot be written as AMQP; nothing was sent."""


class DecodeError(AMQPError, ValueError):
    """Bytes of the peer are not what AMQP says they should be."""
