"""Tests of the publisher: its settings, log lines and counters, and forks."""

import enum
import os
from collections.abc import Callable
from typing import Any

from django.utils.functional import lazy
from twisted.trial.unittest import SynchronousTestCase

from tests.notify.fakes import FakeConnection
from towerws.core.throttle import Throttle
from towerws.notify.errors import (
    Busy,
    ConnectionLost,
    EmitError,
    GroupNameError,
    PayloadError,
    Unreachable,
)
from towerws.notify.publisher import Publisher, _after_fork_in_child


class PublisherTestCase(SynchronousTestCase):
    """A publisher whose connections are fakes."""

    def setUp(self) -> None:
        """Make the publisher."""
        self.connections: list[FakeConnection] = []
        self.unreachable = False
        self.publisher = Publisher("http://127.0.0.1:1", pause=0.0)
        self.publisher._sender._connect = self._connect

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

    def test_raising_payload(self) -> None:
        """Code of the application that runs while the payload is written cannot make it raise."""

        def fail() -> str:
            raise LookupError("secret")

        with self.assertLogs("towerws.notify", "WARNING") as logs:
            self.publisher.emit("jobs-summary", {"v": lazy(fail, str)()})
        self.assertIn("in the payload raised LookupError (1 dropped so far)", logs.output[0])

    def test_published(self) -> None:
        """An event is written as JSON and counted."""
        self._emit("jobs-summary", {"a": 1})
        self.assertEqual(self.connections[0].published, [("jobs-summary", b'{"a": 1}')])
        self.assertEqual((self.publisher.published, self.publisher.dropped), (1, 0))

    def test_bad_payload(self) -> None:
        """A payload that cannot be sent does not even connect."""
        with self.assertRaises(PayloadError):
            self._emit("jobs-summary", {"v": {1}})
        self.assertEqual(self.connections, [])
        self.assertEqual((self.publisher.published, self.publisher.dropped), (0, 1))

    def test_bad_group(self) -> None:
        """Nor does a name that is none."""
        for group in ("", "a/b", "$all", "$revoke", "x" * 101, None, 42, b"jobs-summary"):
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


class PauseTests(PublisherTestCase):
    """The circuit breaker at work."""

    def setUp(self) -> None:
        """Pause for ever after a failure."""
        super().setUp()
        self.publisher = Publisher("http://127.0.0.1:1", pause=1000.0, longest_pause=1000.0)
        self.publisher._sender._connect = self._connect

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
        self.publisher._sender._breaker._until = 0.0
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            self._emit()
        self.assertIn("publishing again (1 events dropped so far)", logs.output[0])
        with self.assertNoLogs("towerws.notify", "DEBUG"):
            self._emit()

    def test_bad_events_do_not_pause(self) -> None:
        """An event that was never sent tells nothing about the peer."""
        with self.assertRaises(PayloadError):
            self._emit("jobs-summary", [])
        self._emit()


class BusyTests(PublisherTestCase):
    """Log lines about events that had to wait for other threads for too long."""

    def setUp(self) -> None:
        """Let another thread have the connection for ever, and give the log lines a clock."""
        super().setUp()
        self.publisher = Publisher("http://127.0.0.1:1", timeout=0.001)
        self.sender = self.publisher._sender
        self.now = 1000.0
        self.sender._busy_lines = Throttle(lambda: self.now, interval=60.0)
        self.assertTrue(self.sender._lock.acquire(timeout=0))

    def _levels_and_lines(self, count: int) -> tuple[list[str], str]:
        with self.assertLogs("towerws.notify", "DEBUG") as logs:
            for _ in range(count):
                self.publisher.emit("jobs-summary", {})
        return [record.levelname for record in logs.records], logs.output[0]

    def test_one_warning(self) -> None:
        """The first event that is lost has a line that everybody sees, the rest are counted."""
        levels, line = self._levels_and_lines(3)
        self.assertEqual(levels, ["WARNING", "DEBUG", "DEBUG"])
        self.assertIn("dropped: 1 other thread is publishing, and left no time", line)
        self.assertTrue(line.endswith("(1 dropped so far)"), line)
        self.assertEqual(self.publisher.dropped, 3)

    def test_held_back(self) -> None:
        """The next line, a minute later, tells how many there would have been."""
        self._levels_and_lines(3)
        self.now += 60
        levels, line = self._levels_and_lines(1)
        self.assertEqual(levels, ["WARNING"])
        self.assertTrue(line.endswith("(4 dropped so far; 2 lines like this one held back)"), line)

    def test_strict(self) -> None:
        """Who wants to know is told each time, and no line is used up for that."""
        for _ in range(2):
            with self.assertRaises(Busy):
                self._emit()
        self.assertEqual(self._levels_and_lines(1)[0], ["WARNING"])


class CloseTests(PublisherTestCase):
    """The end of a publisher."""

    def test_closes_the_connection(self) -> None:
        """In order, and as a context manager."""
        with self.publisher as publisher:
            self.assertIs(publisher, self.publisher)
            self._emit()
        self.assertEqual(self.connections[0].ended, ["closed"])

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
        self.publisher._sender._breaker.failed()
        self.publisher._sender._lock.acquire()  # as another thread of the parent may have
        status = _in_child(self._check_child)
        self.publisher._sender._lock.release()
        self.assertEqual(status, 0)
        self.assertEqual(self.connections[0].ended, [])
        self.assertEqual(self.publisher.published, 1)
        self.publisher._sender._breaker.succeeded()
        self._emit()
        self.assertEqual(len(self.connections), 1)

    def test_inherited_connection_is_kept(self) -> None:
        """What the child gets from its parent is not collected as garbage, which would close it."""
        self._emit()
        inherited = self.publisher._sender
        _after_fork_in_child()
        self.assertIsNot(self.publisher._sender, inherited)
        self.assertIsNone(self.publisher._sender._connection)
        self.assertEqual(self.publisher._inherited, [inherited])
        self.assertIs(inherited._connection, self.connections[0])

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
