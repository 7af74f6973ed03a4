"""Why events may have been missed, in words for clients: what is in the log is for operators."""

from towerws.amqp.errors import AMQPError, ChannelClosed, ConsumerCancelled


def describe_interruption(reason: AMQPError | None) -> str:
    """Say what interrupted a feed.

    Args:
        reason: Why the connection ended; None if this side is about to end it.

    Returns:
        One sentence, without anything that the broker said.
    """
    if isinstance(reason, ConsumerCancelled):
        return "the server lost its queue at the broker"
    if isinstance(reason, ChannelClosed):
        return "the server lost its channel to the broker"
    return "the server lost its connection to the broker"
