"""`towerws.feeds.losses`: what clients are told of an interruption."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.errors import (
    AMQPError,
    ChannelClosed,
    ConnectionClosed,
    ConnectionLost,
    ConsumerCancelled,
)
from towerws.feeds.losses import describe_interruption


class DescriptionTests(SynchronousTestCase):
    """Clients are told what was lost, and nothing that the broker said."""

    def test_each(self) -> None:
        """Connection, channel, and consumer, which ends with its queue."""
        secret = "vhost of s3cret"
        reasons: list[tuple[AMQPError | None, str]] = [
            (None, "connection to"),
            (ConnectionLost(secret), "connection to"),
            (ConnectionClosed(320, secret), "connection to"),
            (ChannelClosed(1, 406, secret), "channel to"),
            (ConsumerCancelled(secret), "queue at"),
        ]
        for reason, what in reasons:
            self.assertEqual(
                describe_interruption(reason), f"the server lost its {what} the broker"
            )
