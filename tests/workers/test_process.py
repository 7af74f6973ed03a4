"""`towerws.workers.process`: one worker from its start to its end."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.fakes import FakeProcess, ProcessReactor
from towerws.workers.messages import Kind, Message
from towerws.workers.process import (
    HEARTBEAT,
    MAX_LINE,
    MESSAGES_OUT,
    SILENT_FOR,
    Launch,
    WorkerEnded,
    WorkerProcess,
)

_START = Message(Kind.START, {"options": {}, "listen": []})
_EVENT = Message(Kind.EVENT, {"group": "jobs-1"}, b"{}")


class ProcessCase(SynchronousTestCase):
    """A test with a worker."""

    def setUp(self) -> None:
        """Start it."""
        self.reactor = ProcessReactor()
        launch = Launch(["python", "x"], {"A": "B"}, "/dir", [17, 19], _START)
        self.process = WorkerProcess(3, launch, self.reactor)
        self.ended = self.process.start()
        (self.worker,) = self.reactor.processes

    def event(self) -> Deferred[Message]:
        """Send an event."""
        return self.process.request(_EVENT)


class StartTests(ProcessCase):
    """How a worker comes up."""

    def test_command(self) -> None:
        """It gets pipes, its sockets behind them, and nothing else."""
        self.assertEqual(self.worker.args, ("python", ["python", "x"], {"A": "B"}, "/dir"))
        descriptors = {0: "w", 1: "r", 2: "r", 3: "r", 4: 17, 5: 19}
        self.assertEqual(self.worker.options, {"childFDs": descriptors})

    def test_order(self) -> None:
        """Nothing is sent before it is there; events may follow the start at once."""
        self.assertEqual(self.worker.sent, [])
        self.assertFalse(self.process.takes_events)
        self.assertEqual(self.process.unready, "it starts")
        self.worker.reply()
        self.assertTrue(self.process.takes_events)
        self.event()
        self.assertEqual(self.worker.sent, [_START, _EVENT])
        self.assertEqual(self.process.unready, "it starts")
        self.worker.reply(unready=None)
        self.assertIsNone(self.process.unready)

    def test_heartbeat(self) -> None:
        """It is asked from time to time how it is, once at a time."""
        self.worker.boot("not connected yet")
        self.assertEqual(self.process.unready, "not connected yet")
        self.assertEqual(self.worker.sent, [])
        self.reactor.advance(HEARTBEAT)
        self.reactor.advance(HEARTBEAT)
        self.assertEqual(self.worker.kinds(), [Kind.STATUS])
        self.worker.take()
        self.worker.reply(unready=None)
        self.assertIsNone(self.process.unready)
        self.reactor.advance(HEARTBEAT)
        self.assertEqual(self.worker.kinds(), [Kind.STATUS])


class RequestTests(ProcessCase):
    """Questions and answers."""

    def setUp(self) -> None:
        """Let the worker come up."""
        super().setUp()
        self.worker.boot()

    def test_order(self) -> None:
        """Answers belong to the questions in their order, even to one that nobody waits for."""
        first, second, third = self.event(), self.event(), self.event()
        second.addErrback(lambda _: None)
        second.cancel()
        for number in (1, 2, 3):
            self.worker.reply(connections=number)
        self.assertEqual(self.successResultOf(first).fields, {"connections": 1})
        self.assertEqual(self.successResultOf(third).fields, {"connections": 3})

    def test_backlog(self) -> None:
        """What is sent and not answered is known."""
        self.event()
        one = self.process.backlog
        self.event()
        self.assertEqual(self.process.backlog, 2 * one)
        self.worker.reply(connections=0)
        self.worker.reply(connections=0)
        self.assertEqual(self.process.backlog, 0)

    def test_silence(self) -> None:
        """It is known for how long a worker owes an answer, each of which is a sign of life."""
        self.reactor.advance(0.5)
        self.assertEqual(self.process.silence(), 0)
        self.event()
        self.reactor.advance(0.1)
        self.event()
        self.reactor.advance(0.2)
        self.assertAlmostEqual(self.process.silence(), 0.3)
        self.worker.reply(connections=0)
        self.assertEqual(self.process.silence(), 0)
        self.reactor.advance(0.1)
        self.assertAlmostEqual(self.process.silence(), 0.1)
        self.worker.reply(connections=0)
        self.assertEqual(self.process.silence(), 0)

    def test_end(self) -> None:
        """Who waits for an answer when it ends, or asks later, is told."""
        asked = self.event()
        self.worker.end()
        self.failureResultOf(asked, WorkerEnded)
        self.failureResultOf(self.event(), WorkerEnded)
        self.assertEqual(self.worker.sent, [_EVENT])
        self.assertFalse(self.process.takes_events)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class EndTests(ProcessCase):
    """How a worker ends, or is ended."""

    def test_by_itself(self) -> None:
        """With a status, or by a signal of somebody."""
        for status, signal, how, cause, terminated in (
            (0, None, "with exit 0", "exit", True),
            (3, None, "with exit 3", "exit", False),
            (0, 9, "with signal 9", "signal", False),
            (0, 15, "with signal 15", "signal", True),
        ):
            self.setUp()
            self.worker.end(status, signal)
            self.assertEqual(self.successResultOf(self.ended), how)
            self.assertEqual(self.process.cause, cause)
            self.assertEqual(self.process.terminated, terminated)

    def test_in_order(self) -> None:
        """Told to, it ends by itself."""
        self.process.finish()
        self.assertTrue(self.worker.finished)
        self.assertEqual(self.worker.signals, [])

    def test_drain(self) -> None:
        """Told to send its clients away, it is asked for that; before it is there it has none."""
        self.process.drain()
        self.assertTrue(self.worker.finished)
        self.setUp()
        self.worker.boot()
        self.process.drain()
        self.assertEqual(self.worker.kinds(), [Kind.DRAIN])
        self.assertFalse(self.worker.finished)
        # It ends before it has answered.
        self.worker.end()
        self.process.drain()

    def test_silent(self) -> None:
        """A worker that owes an answer for too long is killed, at its start as well."""
        for boots in (False, True):
            self.setUp()
            if boots:
                self.reactor.advance(SILENT_FOR - 1)
                self.worker.boot()
                self.reactor.advance(HEARTBEAT)
            self.reactor.advance(SILENT_FOR - 0.1)
            self.assertEqual(self.worker.signals, [])
            with capturedLogs() as logs:
                self.reactor.advance(0.1)
            self.assertEqual(self.worker.signals, ["KILL"])
            (event,) = logs
            self.assertIn("worker 3 has not answered for 20 s", formatEvent(event))
            self.worker.end(0, 9)
            self.assertEqual(self.process.cause, "silent")

    def test_slow_but_alive(self) -> None:
        """A worker that answers one after the other, however many there are, is not silent."""
        self.worker.boot()
        for _ in range(5):
            self.event()
        for _ in range(5):
            self.reactor.advance(SILENT_FOR - 1)
            self.worker.reply(connections=0)
        self.assertEqual(self.worker.signals, [])

    def test_nonsense(self) -> None:
        """A worker that says what is no answer, or was not asked, is killed and not listened to."""
        boot = FakeProcess.boot
        for make in (
            lambda worker: worker.output(b"\xff" * 8, MESSAGES_OUT),
            lambda worker: (boot(worker), worker.reply()),
        ):
            self.setUp()
            with capturedLogs():
                make(self.worker)
                self.worker.output(b"more", MESSAGES_OUT)
            self.assertEqual(self.worker.signals, ["KILL"])
            self.worker.end(0, 9)
            self.assertEqual(self.process.cause, "fault")

    def test_killed_when_gone(self) -> None:
        """Killing what has exited, but is not read to the end, does no harm."""
        self.worker.exit()
        self.process.kill("silent")
        self.assertEqual(self.worker.signals, [])


class LogTests(ProcessCase):
    """What a worker writes."""

    def _lines(self, *pieces: tuple[int, bytes], end: bool = False) -> list[str]:
        with capturedLogs() as logs:
            for descriptor, piece in pieces:
                self.worker.output(piece, descriptor)
            if end:
                self.worker.end()
        events: list[Any] = list(logs)
        return [formatEvent(event).removeprefix("worker 3: ") for event in events]

    def test_lines(self) -> None:
        """Lines come as lines, whatever the pieces, and never as format strings."""
        self.assertEqual(
            self._lines((1, b"{a"), (2, b"b\n"), (1, b"}\n\xffc\n")), ["b", "{a}", "\\xffc"]
        )

    def test_levels(self) -> None:
        """A line is as serious as the worker says, also what is cut; what is not its log warns."""
        with capturedLogs() as logs:
            self.worker.output(b"<6>a\n<3>b\n<2>" + b"x" * MAX_LINE)
            self.worker.output(b"y\n<7>c\n")
            self.worker.output(b"Fatal Python error\n", 2)
        events: list[Any] = list(logs)
        seen = [(event["log_level"], event["line"]) for event in events]
        size = MAX_LINE - len("<2>")
        self.assertEqual(
            seen,
            [
                (LogLevel.info, "a"),
                (LogLevel.error, "b"),
                (LogLevel.critical, "x" * size),
                (LogLevel.critical, "xxxy"),
                (LogLevel.debug, "c"),
                (LogLevel.warn, "Fatal Python error"),
            ],
        )

    def test_long_lines(self) -> None:
        """A line without end is cut."""
        lines = self._lines((1, b"x" * MAX_LINE), (1, b"y" * MAX_LINE), (1, b"z\n"))
        self.assertEqual([len(line) for line in lines], [MAX_LINE, MAX_LINE + 1])

    def test_last_line(self) -> None:
        """The last words count even without a line's end."""
        self.assertEqual(self._lines((1, b"last"), (2, b"words"), end=True), ["last", "words"])
