"""How serious a line of a worker's log is: marked by the worker, read by the supervisor.

The marks are those of sd-daemon(3), the level's number in syslog in angle brackets.
"""

from twisted.logger import LogEvent, LogLevel, eventAsText

_MARKS: dict[LogLevel, str] = {
    LogLevel.debug: "<7>",
    LogLevel.info: "<6>",
    LogLevel.warn: "<4>",
    LogLevel.error: "<3>",
    LogLevel.critical: "<2>",
}
_LEVELS: dict[bytes, LogLevel] = {mark.encode(): level for level, mark in _MARKS.items()}
_MARK_SIZE = 3

#: Of a line that is not of our log, such as the last words of an interpreter that dies.
_UNMARKED: LogLevel = LogLevel.warn


def marked_text(event: LogEvent) -> str:
    """Write an event of the log without its time, which whoever reads it adds.

    Args:
        event: The event.

    Returns:
        Its lines, each with a mark and a line's end; nothing if the event says nothing.
    """
    mark = _MARKS[event.get("log_level", LogLevel.info)]
    text = eventAsText(event, includeTimestamp=False)
    return "".join(f"{mark}{line}\n" for line in text.split("\n")) if text else ""


def split_mark(line: bytes) -> tuple[bytes, bytes]:
    """Take the mark off a line.

    Args:
        line: The line.

    Returns:
        The mark, empty if there is none, and the rest.
    """
    mark = line[:_MARK_SIZE]
    return (mark, line[_MARK_SIZE:]) if mark in _LEVELS else (b"", line)


def level_of(mark: bytes) -> LogLevel:
    """Tell what a mark means.

    Args:
        mark: As `split_mark` gives it.

    Returns:
        The level; that of a warning if there is none, for such lines are to be seen.
    """
    return _LEVELS.get(mark, _UNMARKED)
