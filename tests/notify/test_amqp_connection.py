"""Tests of the words for pika's errors; tests/integration/test_notify.py has the connection."""

import os
import time

from pika import frame, spec
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowAborted,
    AMQPConnectionWorkflowFailed,
    AMQPConnectorSocketConnectError,
)
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker
from twisted.trial.unittest import SynchronousTestCase

from towerws.core.revocation import Revocation
from towerws.notify.amqp_connection import AMQPConnection, _reason, _translated
from towerws.notify.errors import (
    ConnectionLost,
    EmitError,
    Refused,
    Unconfirmed,
    Unreachable,
)


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

    def test_own_words(self) -> None:
        """What is our own error already stays as it is."""
        for error in (Refused("no"), Unconfirmed("perhaps")):
            self.assertEqual(self._translate(error, type(error)), str(error))

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


class ConfirmTests(SynchronousTestCase):
    """Which confirm is the one that is waited for."""

    def test_late_confirms(self) -> None:
        """That of an earlier event does not count as that of the present one."""
        connection = AMQPConnection("towerws.events")
        self.addCleanup(connection.abandon)
        connection._sent = 3
        for tag, multiple in ((1, False), (2, True)):
            connection._on_confirm(frame.Method(1, spec.Basic.Ack(tag, multiple)))
        self.assertEqual(connection._reported, [])
        for method in (spec.Basic.Ack(3, multiple=True), spec.Basic.Nack(3)):
            connection._reported.clear()
            confirm = frame.Method(1, method)
            connection._on_confirm(confirm)
            self.assertEqual(connection._reported, [confirm])


class FakeChannel:
    """A channel on which the broker answers at once.

    Attributes:
        is_open: True.
        connection: Whom the broker answers.
        routed: Whether there is a queue for what is published.
    """

    is_open = True

    def __init__(self, connection: AMQPConnection) -> None:
        """Have a queue."""
        self.connection = connection
        self.routed = True

    def basic_publish(
        self, exchange: str, key: str, body: bytes, properties: object, mandatory: bool
    ) -> None:
        """Return what has no queue, if that is to be told, and confirm it all the same."""
        if mandatory and not self.routed:
            self.connection._on_returned(self, spec.Basic.Return(), properties, body)
        self.connection._on_confirm(frame.Method(1, spec.Basic.Ack(self.connection._sent)))


class RevokeTests(SynchronousTestCase):
    """A revocation has to reach somebody."""

    def test_nobody(self) -> None:
        """Without a server at the exchange nothing is revoked; with one it is, and events are."""
        connection = AMQPConnection("elsewhere")
        self.addCleanup(connection.abandon)
        connection._channel = channel = FakeChannel(connection)
        deadline = time.monotonic() + 10
        channel.routed = False
        connection.publish("jobs-1", b"{}", deadline)
        error = self.assertRaises(Refused, connection.revoke, Revocation("7"), deadline)
        self.assertEqual(str(error), "no server hears the broker's exchange 'elsewhere'")
        channel.routed = True
        self.assertEqual(connection.revoke(Revocation("7"), deadline), {"confirmed": True})


class UnopenedTests(SynchronousTestCase):
    """A connection on which nothing has happened yet."""

    def test_leaves_no_files(self) -> None:
        """It holds files of the system, for pika's loop, which are closed with it in any way."""
        for end in (AMQPConnection.abandon, lambda connection: connection.close(0.0)):
            before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names, not paths
            connection = AMQPConnection("towerws.events")
            opened = set(os.listdir("/proc/self/fd")) - before  # noqa: PTH208
            self.assertTrue(opened)
            end(connection)
            self.assertEqual(set(os.listdir("/proc/self/fd")) & opened, set())  # noqa: PTH208
