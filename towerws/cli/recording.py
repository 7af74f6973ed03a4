"""Recorded events: JSON lines with times.

One line is ``{"t": 1.25, "group": "job_events-42", "event": {...}}``: seconds since the recording
began, the group's name, and the payload. Times never go back.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import IO, NoReturn

from towerws.core.groups import describe_bad_name, is_group_name

#: Largest recording that is read, in bytes: it is held in memory, and parsed takes some ten times
#: as much. The shipped job of 200 events has 0.1 MB.
MAX_BYTES = 64 * 1024 * 1024

#: Latest time in a recording, in seconds: some 30 years, and every number up to it fits a float.
_LONGEST = 1e9

_KEYS = {"t", "group", "event"}


class RecordingError(ValueError):
    """A file is not a recording: the text is one sentence that names the line, from 1."""


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event of a recording.

    Attributes:
        at: Seconds since the recording began.
        group: The group's name, such as ``job_events-42``.
        event: The payload.
    """

    at: float
    group: str
    event: dict[str, object]


def shipped() -> list[RecordedEvent]:
    """Read the recording that comes with towerws: job 42, a playbook run of 27 s.

    Returns:
        Its events, in order.
    """
    with files("towerws").joinpath("data", "playbook-run.jsonl").open("rb") as file:
        return read(file)


def read(file: IO[bytes], limit: int = MAX_BYTES) -> list[RecordedEvent]:
    """Read a whole recording, so that a mistake in it is found before anything is published.

    Args:
        file: Where the lines come from.
        limit: Most bytes to take.

    Returns:
        Its events, in order; lines that hold only white space count for nothing.

    Raises:
        RecordingError: A line is not an event, there is no event at all, or the file is too large.
    """
    data = file.read(limit + 1)
    if len(data) > limit:
        raise RecordingError(f"the recording is larger than {limit} bytes")
    events = parse(data.split(b"\n"))
    if not events:
        raise RecordingError("the recording is empty")
    return events


def parse(lines: Iterable[bytes]) -> list[RecordedEvent]:
    """Turn the lines of a recording into events.

    Args:
        lines: The lines in UTF-8.

    Returns:
        The events, in order.

    Raises:
        RecordingError: A line is not an event, or its time lies before that of the last one.
    """
    events: list[RecordedEvent] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = _event(line)
        except ValueError as error:
            raise RecordingError(f"line {number}: {error}") from None
        if events and event.at < events[-1].at:
            raise RecordingError(f"line {number}: its time lies before that of the line above")
        events.append(event)
    return events


def _event(line: bytes) -> RecordedEvent:
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(fields, dict) or fields.keys() != _KEYS:
        raise ValueError('not an object with the keys "t", "group" and "event"')
    at, group, event = fields["t"], fields["group"], fields["event"]
    # bool is an int to Python.
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= _LONGEST:
        raise ValueError('"t" is not a number of seconds')
    if not isinstance(group, str) or not is_group_name(group):
        raise ValueError(describe_bad_name(group) if isinstance(group, str) else "no group name")
    if not isinstance(event, dict):
        raise ValueError('"event" is not an object')
    return RecordedEvent(float(at), group, event)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
