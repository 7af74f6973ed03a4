"""Tests of the words for pika's errors; tests/integration/test_notify.py has the connection."""

from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowAborted,
    AMQPConnectionWorkflowFailed,
    AMQPConnectorSocketConnectError,
)
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker
from twisted.trial.unittest import SynchronousTestCase

from towerws.notify.amqp_connection import AMQPConnection, _reason, _translated
from towerws.notify.errors import ConnectionLost, EmitError, Unreachable


class TranslationTests(SynchronousTestCase):
    """What pika raises becomes an error of ours, in words for people."""

    def _translate(self, error: Exception, kind: type[EmitError]) -> str:
        def fail() -> None:
            with _translated("the broker"):
                raise error

        return str(self.assertRaises(kind, fail))

    def test_timeout(self) -> None:
        """A timeout tells nothing about the connection: no second attempt on a new one."""
        sentence = self._translate(TimeoutError("x"), Unreachable)
        self.assertEqual(sentence, "the broker did not answer in time")

    def test_lost(self) -> None:
        """Everything else means that the connection is of no use."""
        closed = ChannelClosedByBroker(404, "NOT_FOUND - no exchange")
        sentence = self._translate(closed, ConnectionLost)
        self.assertEqual(sentence, "the broker: NOT_FOUND - no exchange")
        sentence = self._translate(ConnectionRefusedError(111, "Connection refused"), Unreachable)
        self.assertEqual(sentence, "the broker: Connection refused")

    def test_unwrapped(self) -> None:
        """The cause is found below pika's layers."""
        cause = OSError(113, "No route to host")
        wrapped = AMQPConnectionWorkflowFailed([AMQPConnectorSocketConnectError(cause)])
        self.assertEqual(_reason(wrapped), "No route to host")

    def test_without_words(self) -> None:
        """An error without a text is told by its name."""
        self.assertEqual(_reason(AMQPConnectionError()), "AMQPConnectionError")
        self.assertEqual(_reason(AMQPConnectionWorkflowAborted()), "AMQPConnectionWorkflowAborted")


class UnopenedTests(SynchronousTestCase):
    """A connection on which nothing has happened yet."""

    def test_abandon(self) -> None:
        """It can be thrown away."""
        AMQPConnection("towerws.events").abandon()
        AMQPConnection("towerws.events").close(0.0)
