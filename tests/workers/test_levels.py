"""`towerws.workers.levels`: how serious a line is, over the pipe."""

from typing import Any

from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from towerws.workers.levels import level_of, marked_text, split_mark


class LevelsTests(SynchronousTestCase):
    """From an event to lines and back."""

    def setUp(self) -> None:
        """Have a logger whose events are kept."""
        self.events: list[LogEvent] = []
        observer: Any = self.events.append
        self.log = Logger("towerws.x", observer=observer)

    def there_and_back(self) -> list[tuple[LogLevel, bytes]]:
        """Give the lines of the last event as the supervisor sees them."""
        *lines, rest = marked_text(self.events[-1]).encode().split(b"\n")
        self.assertEqual(rest, b"")
        pairs = [split_mark(line) for line in lines]
        return [(level_of(mark), text) for mark, text in pairs]

    def test_levels(self) -> None:
        """Each level arrives, and the text as Twisted writes it."""
        for level in LogLevel.iterconstants():
            self.log.emit(level, "{n} clients", n=3)
            text = f"[towerws.x#{level.name}] 3 clients".encode()
            self.assertEqual(self.there_and_back(), [(level, text)])

    def test_traceback(self) -> None:
        """All lines of an event have its level."""
        self.log.failure("it ends", Failure(ZeroDivisionError("x")))
        lines = self.there_and_back()
        self.assertEqual({level for level, _ in lines}, {LogLevel.critical})
        self.assertEqual(lines[0][1], b"[towerws.x#critical] it ends")
        self.assertIn(b"ZeroDivisionError: x", lines[-1][1] + lines[-2][1])

    def test_without_level(self) -> None:
        """An event without a level is for information; one that says nothing is no line."""
        self.assertEqual(marked_text({"log_format": "x"}), "<6>[-#-] x\n")
        self.assertEqual(marked_text({}), "")

    def test_of_others(self) -> None:
        """What has no mark of ours is kept whole, and is to be seen."""
        for line in (b"Traceback (most recent call last):", b"<5>x", b"<6", b""):
            mark, text = split_mark(line)
            self.assertEqual((mark, text), (b"", line))
            self.assertEqual(level_of(mark), LogLevel.warn)
