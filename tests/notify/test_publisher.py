"""Tests of the publisher's bookkeeping: connections, retries, pauses, counters, threads, forks."""

import enum
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from towerws.notify.errors import (
    ConnectionLost,
    EmitError,
    GroupNameError,
    PayloadError,
    Refused,
    Unreachable,
)
from towerws.notify.publisher import Publisher, _after_fork_in_child


class FakeConnection:
    """A connection that takes everything, until it is given something to raise.

    Attributes:
        published: Group and body of what was published.
        failure: Raised by `publish`, once.
        ended: How it was ended: ``"closed"`` or ``"abandoned"``.
        hold: Called by each `publish`.
    """

    def __init__(self) -> None:
        """Begin open."""
        self.published: list[tuple[str, bytes]] = []
        self.failure: BaseException | None = None
        self.ended: list[str] = []
        self.hold: Callable[[], object] = lambda: None

    def publish(self, group: str, body: bytes, deadline: float) -> None:
        """Take an event, or raise."""
        self.hold()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.published.append((group, body))

    def close(self, deadline: float) -> None:
        """End in order."""
        self.ended.append("closed")

    def abandon(self) -> None:
        """End at once."""
        self.ended.append("abandoned")


class PublisherTestCase(SynchronousTestCase):
    """A publisher whose connections are fakes."""

    def setUp(self) -> None:
        """Make the publisher."""
        self.connections: list[FakeConnection] = []
        self.unreachable = False
        self.publisher = Publisher("http://127.0.0.1:1", pause=0.0)
        self.publisher._connect = self._connect

    def _connect(self, deadline: float) -> FakeConnection:
        if self.unreachable:
            raise ConnectionLost("connection refused")
        self.connections.append(FakeConnection())
        return self.connections[-1]

    def _emit(self, group: Any = "jobs-summary", payload: Any = None) -> None:
        self.publisher.emit(group, {} if payload is None else payload, strict=True)


class SettingsTests(SynchronousTestCase):
    """What a publisher is made with."""

    def test_environment(self) -> None:
        """URL and token come from the environment if nobody says otherwise."""
        self.patch(os, "environ", {"TOWERWS_URL": "ftp://host"})
        self.assertRaises(ValueError, Publisher)
        os.environ["TOWERWS_URL"] = ""
        Publisher()
        os.environ["TOWERWS_TOKEN"] = "a b"
        self.assertRaises(ValueError, Publisher)
        Publisher(token="ab")
        os.environ["TOWERWS_TOKEN"] = " ab\n"
        Publisher()

    def test_broker_urls(self) -> None:
        """A broker's URL is read at once: a bad one is an error here, not later."""
        Publisher("amqp://guest@127.0.0.1:1,127.0.0.1:2/")
        self.assertRaises(ValueError, Publisher, "amqp://host:port")

    def test_numbers(self) -> None:
        """Times that make no sense are refused."""
        for numbers in ({"timeout": 0}, {"pause": -1}, {"pause": 2, "longest_pause": 1}):
            self.assertRaises(ValueError, Publisher, **numbers)


class EmitTests(PublisherTestCase):
    """Events on their way, and those that cannot go."""

    def test_published(self) -> None:
        """An event is written as JSON and counted."""
        self._emit("jobs-summary", {"a": 1})
        self.assertEqual(self.connections[0].published, [("jobs-summary", b'{"a": 1}')])
        self.assertEqual((self.publisher.published, self.publisher.dropped), (1, 0))

    def test_one_connection(self) -> None:
        """The connection is kept."""
        for _ in range(3):
            self._emit()
        self.assertEqual(len(self.connections), 1)

    def test_bad_payload(self) -> None:
        """A payload that cannot be sent does not even connect."""
        with self.assertRaises(PayloadError):
            self._emit("jobs-summary", {"v": {1}})
        self.assertEqual(self.connections, [])
        self.assertEqual((self.publisher.published, self.publisher.dropped), (0, 1))

    def test_bad_group(self) -> None:
        """Nor does a name that is none."""
        for group in ("", "a/b", "$all", "x" * 101, None, 42, b"jobs-summary"):
            with self.assertRaises(GroupNameError):
                self._emit(group)
        self.assertEqual(self.connections, [])

    def test_enumeration(self) -> None:
        """A member of an enumeration of texts is the text, as a Django backend may write it."""

        class Group(str, enum.Enum):  # noqa: UP042  # what Django's TextChoices is
            """One group."""

            SUMMARY = "jobs-summary"

        self._emit(Group.SUMMARY)
        (published, _), *_ = self.connections[0].published
        self.assertIs(type(published), str)
        self.assertEqual(f"{published}", "jobs-summary")

    def test_dropped_with_a_line(self) -> None:
        """Without `strict` an event that cannot go leaves a line with its group and the reason."""
        for group, payload, shown in (
            ("jobs-summary", {"secret": {1}}, "'jobs-summary' dropped: the payload cannot be"),
            ("x" * 200, {}, f"'{'x' * 100}' dropped: the group name"),
            (None, {}, "'NoneType' dropped: the group's name is not a text"),
        ):
            with self.assertLogs("towerws.notify", "WARNING") as logs:
                self.publisher.emit(group, payload)  # type: ignore[arg-type]
            (line,) = logs.output
            self.assertIn(shown, line)
            self.assertNotIn("secret", line)
        self.assertEqual(self.publisher.dropped, 3)

    def test_refused(self) -> None:
        """A refusal concerns the event, not the connection."""
        self._emit()
        self.connections[0].failure = Refused("no")
        with self.assertRaises(Refused):
            self._emit()
        self._emit()
        self.assertEqual(len(self.connections), 1)


class RetryTests(PublisherTestCase):
    """Connections that turn out to be gone."""

    def test_stale(self) -> None:
        """A kept connection that is lost is replaced, and the event goes over the new one."""
        self._emit()
        self.connections[0].failure = ConnectionLost("gone")
        self._emit("jobs-summary", {"second": True})
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self.assertEqual(self.connections[1].published, [("jobs-summary", b'{"second": true}')])
        self.assertEqual((self.publisher.published, self.publisher.dropped), (2, 0))

    def test_once(self) -> None:
        """When the new one is lost as well, that is the end of it."""
        self._emit()
        self.connections[0].failure = ConnectionLost("gone")
        connect = self.publisher._connect

        def connect_to_nothing(deadline: float) -> Any:
            connection: Any = connect(deadline)
            connection.failure = ConnectionLost("gone again")
            return connection

        self.publisher._connect = connect_to_nothing
        with self.assertRaisesRegex(ConnectionLost, "gone again"):
            self._emit()
        self.assertEqual(len(self.connections), 2)

    def test_not_for_new_connections(self) -> None:
        """A first attempt on a new connection is the only one."""
        self.unreachable = True
        with self.assertRaises(ConnectionLost):
            self._emit()

    def test_not_after_a_timeout(self) -> None:
        """When the time is over, it is over; the connection is given up."""
        self._emit()
        self.connections[0].failure = Unreachable("no answer in time")
        with self.assertRaisesRegex(Unreachable, "in time"):
            self._emit()
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self.assertEqual(len(self.connections), 1)

    def test_interrupted(self) -> None:
        """What interrupts an emit passes through, and the half used connection is given up."""

        class SoftTimeLimit(BaseException):
            """Celery raises such a thing from a signal handler."""

        self._emit()
        self.connections[0].failure = SoftTimeLimit()
        with self.assertRaises(SoftTimeLimit):
            self._emit()
        self.assertEqual(self.connections[0].ended, ["abandoned"])
        self._emit()
        self.assertEqual(len(self.connections), 2)


class PauseTests(PublisherTestCase):
    """The circuit breaker at work."""

    def setUp(self) -> None:
        """Pause for ever after a failure."""
        super().setUp()
        self.publisher = Publisher("http://127.0.0.1:1", pause=1000.0, longest_pause=1000.0)
        self.publisher._connect = self._connect

    def test_fails_at_once(self) -> None:
        """After a failure nobody tries; only the first event has a line in the log."""
        self.unreachable = True
        with self.assertLogs("towerws.notify", "DEBUG") as logs:
            self.publisher.emit("jobs-summary", {})
            self.unreachable = False
            self.publisher.emit("jobs-summary", {})
        self.assertEqual([line.split(":")[0] for line in logs.output], ["WARNING", "DEBUG"])
        self.assertIn("the next one is made in ", logs.output[1])
        self.assertEqual(self.connections, [])
        self.assertEqual(self.publisher.dropped, 2)

    def test_recovers(self) -> None:
        """When the pause is over one event tries, and a line tells that all is well."""
        self.unreachable = True
        with self.assertRaises(Unreachable):
            self._emit()
        self.unreachable = False
        self.publisher._state.breaker._until = 0.0
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            self._emit()
        self.assertIn("publishing again (1 events dropped so far)", logs.output[0])
        with self.assertNoLogs("towerws.notify", "DEBUG"):
            self._emit()

    def test_refusals_do_not_pause(self) -> None:
        """A peer that says no is there."""
        self._emit()
        self.connections[0].failure = Refused("no")
        with self.assertRaises(Refused):
            self._emit()
        self._emit()

    def test_bad_events_do_not_pause(self) -> None:
        """Nor does an event that was never sent."""
        with self.assertRaises(PayloadError):
            self._emit("jobs-summary", [])
        self._emit()


class ThreadTests(PublisherTestCase):
    """Threads share the connection, and wait for one another no longer than allowed."""

    def setUp(self) -> None:
        """Let a second thread hold the connection until the test lets go."""
        super().setUp()
        self._emit()
        self.holding, self.release = threading.Event(), threading.Event()
        self.connections[0].hold = self._hold
        self.thread = threading.Thread(target=self._emit)
        self.thread.start()
        self.addCleanup(self.thread.join, 5)
        self.addCleanup(self.release.set)
        self.assertTrue(self.holding.wait(5))

    def _hold(self) -> None:
        self.connections[0].hold = lambda: None
        self.holding.set()
        self.release.wait(5)

    def test_waits(self) -> None:
        """An emit waits for that of another thread."""
        threading.Timer(0.05, self.release.set).start()
        self._emit()
        self.thread.join(5)
        self.assertEqual(self.publisher.published, 3)
        self.assertEqual(len(self.connections), 1)

    def test_not_for_ever(self) -> None:
        """But not longer than the timeout."""
        self.publisher._timeout = 0.05
        started = time.monotonic()
        with self.assertRaisesRegex(Unreachable, "another thread"):
            self._emit()
        self.assertLess(time.monotonic() - started, 2)

    def test_not_after_a_failure(self) -> None:
        """And not at all while another thread finds out whether the peer is back."""
        self.publisher._state.breaker.failed()
        started = time.monotonic()
        with self.assertRaisesRegex(Unreachable, "another thread"):
            self._emit()
        self.assertLess(time.monotonic() - started, 1)

    def test_close_waits(self) -> None:
        """Closing waits for the emit that is under way."""
        threading.Timer(0.05, self.release.set).start()
        self.publisher.close()
        self.thread.join(5)
        self.assertEqual(self.publisher.published, 2)
        self.assertEqual(self.connections[0].ended, ["closed"])


class CloseTests(PublisherTestCase):
    """The end of a publisher."""

    def test_closes_the_connection(self) -> None:
        """In order, and as a context manager."""
        with self.publisher as publisher:
            self.assertIs(publisher, self.publisher)
            self._emit()
        self.assertEqual(self.connections[0].ended, ["closed"])

    def test_unused(self) -> None:
        """Where nothing was published there is nothing to close; twice is no harm."""
        self.publisher.close()
        self.publisher.close()

    def test_no_events_after(self) -> None:
        """A closed publisher drops what comes."""
        self.publisher.close()
        with self.assertRaisesRegex(EmitError, "closed"):
            self._emit()
        self.assertEqual(self.connections, [])
        self.assertEqual(self.publisher.dropped, 1)


class ForkTests(PublisherTestCase):
    """A process and its child: what is one's is not the other's."""

    def test_child_begins_anew(self) -> None:
        """The child has its own connection, lock and counters; the parent's stays as it was."""
        self._emit()
        self.publisher._state.breaker.failed()
        self.publisher._state.lock.acquire()  # as another thread of the parent may have
        status = _in_child(self._check_child)
        self.publisher._state.lock.release()
        self.assertEqual(status, 0)
        self.assertEqual(self.connections[0].ended, [])
        self.assertEqual(self.publisher.published, 1)
        self.publisher._state.breaker.succeeded()
        self._emit()
        self.assertEqual(len(self.connections), 1)

    def test_inherited_connection_is_kept(self) -> None:
        """What the child gets from its parent is not collected as garbage, which would close it."""
        self._emit()
        inherited = self.publisher._state
        _after_fork_in_child()
        self.assertIsNot(self.publisher._state, inherited)
        self.assertIsNone(self.publisher._state.connection)
        self.assertEqual(self.publisher._inherited, [inherited])
        self.assertIs(inherited.connection, self.connections[0])

    def _check_child(self) -> None:
        assert self.publisher.published == 0
        self._emit()
        assert len(self.connections) == 2
        assert self.connections[0].ended == []
        assert len(self.connections[0].published) == 1
        assert self.publisher.published == 1
        self.publisher.close()
        assert self.connections[0].ended == []
        assert self.connections[1].ended == ["closed"]


def _in_child(check: Callable[[], None]) -> int:
    """Run a function in a forked child: 0 if it returns, 1 if it raises."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            check()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
