"""How an event looks on a terminal: one line, colours, and nothing that could drive the terminal.

Events carry text from anywhere: a host name or a task's output may hold escape sequences that move
the cursor, set the title or feed the keyboard buffer. Nothing but printable characters of an event
ever reaches a terminal from here; the colours are our own.
"""

import json
import re
from collections.abc import Callable
from enum import Enum

from towerws.core.groups import MAX_NAME_LENGTH

#: Colour changes (ECMA-48 SGR) as Ansible writes them; dropped, for ``\x1b[0;32m`` tells nobody.
_COLOUR_CHANGE = re.compile(r"\x1b\[[0-9;]*m")

#: The stars behind the name of a play or task.
_STARS = re.compile(r" \*+$")


class Colour(Enum):
    """Colours that a line of ours may have: parameters of the SGR sequence."""

    NONE = ""
    BOLD = "1"
    FAINT = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"

    def paint(self, text: str) -> str:
        """Wrap a text, which must be harmless already, in this colour."""
        return f"\x1b[{self.value}m{text}\x1b[0m" if self.value else text


_STATUS_COLOURS = {
    "pending": Colour.YELLOW,
    "waiting": Colour.YELLOW,
    "running": Colour.CYAN,
    "successful": Colour.GREEN,
    "failed": Colour.RED,
    "error": Colour.RED,
    "canceled": Colour.RED,
}

#: Below this ``event_level`` stand the playbook, its plays and its tasks; on it, results of hosts.
_RESULT_LEVEL = 3


def neutralise(text: str) -> str:
    r"""Make a text harmless to a terminal.

    Args:
        text: Any text.

    Returns:
        The text with all that is not printable (control and format characters, among them those
        that reverse the direction of reading, lone surrogates, odd white space) as ``\x1b``.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def neutralise_json(text: str) -> str:
    r"""Make a JSON text harmless to a terminal without changing its meaning.

    Args:
        text: Valid JSON on one line.

    Returns:
        The text with all that is not printable as ``\u001b``. Such characters stand only inside of
        strings, but for tabs, which stay.
    """
    return "".join(
        char if char.isprintable() or char == "\t" else json.dumps(char)[1:-1] for char in text
    )


def group_of(event: dict[str, object]) -> str:
    """Guess the group that an event was published to, for it is not in the frame.

    Args:
        event: The payload, in one of AWX's shapes
            (shared/reference/awx-protocol.md 2.10) or any other.

    Returns:
        The group's name, made of ``group_name`` and the id that belongs to it; ``-`` when unknown.
    """
    name = event.get("group_name")
    if not isinstance(name, str):
        return "-"
    if name == "jobs":
        return "jobs-status_changed" if "status" in event else "jobs-summary"
    if name in _ELEMENTS:
        return f"{name}-{_ELEMENTS[name]}"
    key = "workflow_job_id" if name == "workflow_events" else name.removesuffix("_events")
    return f"{name}-{event[key]}" if key in event else name


_ELEMENTS = {"schedules": "changed", "inventories": "status_changed", "control": "limit_reached"}


def gist(event: dict[str, object]) -> tuple[str, Colour]:
    """Say in a few words what an event tells.

    Args:
        event: The payload, in one of AWX's shapes or any other.

    Returns:
        The words, which may hold anything the event does, and the colour that suits them.
    """
    job = event.get("unified_job_id", "?")
    if isinstance(status := event.get("status"), str):
        kind = str(event.get("type", "job")).replace("_", " ")
        if "inventory_id" in event and "unified_job_id" not in event:
            kind, job = "inventory", event["inventory_id"]
        return f"{kind} {job} {status}", _STATUS_COLOURS.get(status, Colour.NONE)
    if "final_counter" in event:
        return f"job {job} has ended after {event['final_counter']} events", Colour.BOLD
    if isinstance(name := event.get("event"), str):
        return f"#{event.get('counter', '?')} {_job_event(name, event)}", _job_event_colour(event)
    if event.get("group_name") == "schedules":
        return f"schedule {event.get('id', '?')} changed", Colour.NONE
    return json.dumps(event, ensure_ascii=False), Colour.NONE


def render(
    event: object, clock: str, width: int | None = None, *, colour: bool = False, pad: int = 0
) -> str:
    """Write an event as one line.

    Args:
        event: The decoded payload.
        clock: The time to put in front, such as ``14:02:31.512``.
        width: Columns of the terminal; the line is cut to them. Not cut if not given.
        colour: Whether to use colours.
        pad: Columns that the group's name takes at least.

    Returns:
        The line, without its end: printable characters and our own colours, nothing else.
    """
    if isinstance(event, dict):
        group, (words, tone) = group_of(event), gist(event)
    else:
        group, words, tone = "-", json.dumps(event, ensure_ascii=False), Colour.NONE
    group, words = neutralise(group[:MAX_NAME_LENGTH]).ljust(pad), neutralise(words)
    if width is not None:
        room = max(width - len(clock) - len(group) - 4, 10)
        words = words if len(words) <= room else words[: room - 1] + "…"
    paint: Callable[[Colour, str], str] = Colour.paint if colour else _plain
    return f"{paint(Colour.FAINT, clock)}  {paint(Colour.CYAN, group)}  {paint(tone, words)}"


def _plain(_colour: Colour, text: str) -> str:
    return text


def _job_event(kind: str, event: dict[str, object]) -> str:
    """Show a job event's output, or where it happened when it printed nothing."""
    stdout = event.get("stdout")
    lines = _COLOUR_CHANGE.sub("", stdout).split("\n") if isinstance(stdout, str) else []
    lines = [_STARS.sub("", line.strip()) for line in lines if line.strip()]
    if lines:
        return lines[0] if len(lines) == 1 else f"{lines[0]} (+{len(lines) - 1} lines)"
    where = event.get("task") or event.get("play")
    return f"{kind}: {where}" if where else kind


def _job_event_colour(event: dict[str, object]) -> Colour:
    if event.get("failed"):
        return Colour.RED
    if event.get("changed"):
        return Colour.YELLOW
    if event.get("event") == "runner_on_ok":
        return Colour.GREEN
    level = event.get("event_level")
    heading = isinstance(level, int) and 0 < level < _RESULT_LEVEL
    return Colour.BOLD if heading else Colour.NONE
