"""Tests of sending: connections, retries, pauses."""

import functools
from typing import Any

from twisted.internet.task import Clock

from tests.notify.fakes import FakeConnection
from tests.notify.sender_case import SenderCase
from towerws.notify.errors import (
    ConnectionLost,
    EmitError,
    Refused,
    Unconfirmed,
    Unreachable,
)
from towerws.notify.sender import NotTried


class ConnectionTests(SenderCase):
    """The connection, which is kept while it is good."""

    def test_kept(self) -> None:
        """All events go over one connection, and are counted."""
        for _ in range(3):
            self._send()
        self.assertEqual(self.connections[0].published, [("jobs-summary", b"{}")] * 3)
        self.assertEqual(len(self.connections), 1)
        self.assertEqual((self.sender.published, self.sender.dropped), (3, 0))

    def test_refused(self) -> None:
        """A refusal concerns the event, not the connection, and is no reason to pause."""
        self._send()
        self._fail(Refused("no"))
        self._send()
        self.assertEqual(len(self.connections), 1)
        self.assertEqual(self.connections[0].ended, [])

    def test_stale(self) -> None:
        """A kept connection that is lost is replaced, and the event goes over the new one."""
        self._send()
        self.connections[0].failure = ConnectionLost("gone")
        self._send(b"second")
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self.assertEqual(self.connections[1].published, [("jobs-summary", b"second")])

    def test_replaced_once(self) -> None:
        """When the new one is lost as well, that is the end of it."""
        self._send()
        self.connections[0].failure = ConnectionLost("gone")

        def connect_to_nothing(deadline: float) -> Any:
            connection = self._connect(deadline)
            connection.failure = ConnectionLost("gone again")
            return connection

        self.sender._connect = connect_to_nothing
        with self.assertRaisesRegex(ConnectionLost, "gone again"):
            self._send()
        self.assertEqual(len(self.connections), 2)

    def test_no_second_attempt_at_first(self) -> None:
        """A first attempt on a new connection is the only one."""
        attempts: list[float] = []

        def connect(deadline: float) -> FakeConnection:
            attempts.append(deadline)
            raise ConnectionLost("connection refused")

        self.sender._connect = connect
        with self.assertRaises(ConnectionLost):
            self._send()
        self.assertEqual(len(attempts), 1)

    def test_interrupted(self) -> None:
        """What interrupts an event passes through, and the half used connection is given up."""

        class SoftTimeLimit(BaseException):
            """Celery raises such a thing from a signal handler."""

        self._send()
        self._fail(SoftTimeLimit())
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self._send()
        self.assertEqual(len(self.connections), 2)


class PauseTests(SenderCase):
    """The circuit breaker at work."""

    def test_fails_at_once(self) -> None:
        """After a failure nobody tries."""
        self.unreachable = True
        with self.assertRaises(ConnectionLost):
            self._send()
        self.unreachable = False
        with self.assertRaisesRegex(NotTried, "the next one is made in "):
            self._send()
        self.assertEqual(self.connections, [])

    def test_error_in_time(self) -> None:
        """An error that came before the time was over is a failure at once."""
        self._send()
        self._fail(Unreachable("something else"))
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self.assertTrue(self.sender._breaker.tripped)

    def test_child(self) -> None:
        """A forked child finds out for itself, and is closed if its parent was."""
        self.sender._breaker.failed()
        child = self.sender.for_child()
        child.send("jobs-summary", b"{}")
        self.assertEqual(len(self.connections), 1)
        self.sender.close()
        with self.assertRaisesRegex(EmitError, "closed"):
            self.sender.for_child().send("jobs-summary", b"{}")


class SilenceTests(SenderCase):
    """A peer that does not answer: whether that is its fault depends on the time it had."""

    def setUp(self) -> None:
        """Connect, in a time of our own."""
        self.time = Clock()
        self.clock = self.time.seconds
        super().setUp()
        self._send()

    def _time_out(self, *, left: float, usable: bool = True) -> None:
        """Let an event that has only so many seconds left wait for its confirmation in vain."""
        connection = self.connections[-1]
        connection.hold = functools.partial(self.time.advance, left)
        if not usable:
            connection.publish = self._answer_too_late  # type: ignore[method-assign]
        with self.assertRaises(Unreachable):
            self.sender._attempt("jobs-summary", b"{}", self.clock() + left)
        connection.hold = lambda: None

    def _answer_too_late(self, group: str, body: bytes, deadline: float) -> None:
        self.connections[-1].hold()
        raise Unreachable("no answer in time")

    def test_with_all_the_time(self) -> None:
        """An event that had the time to itself finds that the peer is away."""
        self.sender = self._make(timeout=0.1)
        self._send()
        self.connections[-1].hold = functools.partial(self.time.advance, 0.1)
        with self.assertRaises(Unconfirmed):
            self._send()
        self.assertEqual(self.connections[-1].ended, ["abandoned"])
        with self.assertRaises(NotTried):
            self._send()

    def test_with_a_part_of_it(self) -> None:
        """One that had waited for others does not: the next is sent, on the same connection."""
        self._time_out(left=0.1)
        self._send()
        self.assertEqual(len(self.connections), 1)
        self.assertEqual(self.connections[0].ended, [])

    def test_unusable_connection(self) -> None:
        """A connection that would take the late answer for the next one's is replaced."""
        self._time_out(left=0.1, usable=False)
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self._send()
        self.assertEqual(len(self.connections), 2)

    def test_adds_up(self) -> None:
        """Several such events together find out; else threads in a crowd would try for ever."""
        self.sender = self._make(timeout=0.6)
        self._send()
        for tripped in (False, False, True):
            self._time_out(left=0.18)
            self.assertEqual(self.sender._breaker.tripped, tripped)
        self.assertEqual(self.connections[-1].ended, ["abandoned"])

    def test_an_answer_ends_it(self) -> None:
        """Any answer shows that the peer is there: the count starts anew."""
        for answer in (self._send, functools.partial(self._fail, Refused("no"))):
            self._time_out(left=0.05)
            self.assertGreater(self.sender._silence, 0)
            answer()
            self.assertEqual(self.sender._silence, 0)


class CloseTests(SenderCase):
    """The end of a sender."""

    def test_closes_the_connection(self) -> None:
        """In order, and once, however often it is asked for."""
        self._send()
        for _ in range(2):
            self.sender.close()
        self.assertEqual(self.connections[0].ended, ["closed"])

    def test_unused(self) -> None:
        """Where nothing was sent there is nothing to close, and nothing is opened for that."""
        self.sender.close()
        self.assertEqual(self.connections, [])

    def test_no_events_after(self) -> None:
        """A closed sender takes nothing."""
        self.sender.close()
        with self.assertRaisesRegex(EmitError, "closed"):
            self._send()
        self.assertEqual(self.connections, [])
