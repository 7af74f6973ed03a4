"""`towerws.amqp.errors`: sentences that an operator can act on."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.errors import (
    AMQPError,
    AuthenticationFailed,
    ChannelClosed,
    ConnectionClosed,
    ConsumerCancelled,
)


class SentenceTests(SynchronousTestCase):
    """What is told of an error."""

    def test_of_the_broker(self) -> None:
        """Errors of the broker have its code and its own words, and say what they ended."""
        for error, text in (
            (AuthenticationFailed(403, "ACCESS_REFUSED"), "refused the credentials"),
            (ConnectionClosed(320, "CONNECTION_FORCED"), "closed the connection"),
            (ChannelClosed(7, 404, "NOT_FOUND"), "closed channel 7"),
        ):
            self.assertEqual(str(error), f"the broker {text}: {error.code} {error.broker_text}")
            self.assertIsInstance(error, AMQPError)

    def test_consumer(self) -> None:
        """A cancelled consumer is named, with what that means."""
        error = ConsumerCancelled("tag-1")
        self.assertEqual(str(error), "the broker cancelled the consumer 'tag-1': its queue is gone")
