"""Where heard events are printed: JSON lines for programs, coloured lines for people."""

import os
import shutil
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from towerws.cli.render import neutralise, neutralise_json, render


@dataclass(frozen=True, slots=True)
class Style:
    """How to print.

    Attributes:
        as_json: Whether an event is printed as it came, or as a line for people.
        on_terminal: Whether a terminal reads: then nothing that could drive it is let through.
        colour: Whether lines for people have colours.
    """

    as_json: bool
    on_terminal: bool
    colour: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options that say how to print.

    Args:
        parser: A command's parser.
    """
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        dest="as_json",
        action="store_true",
        default=None,
        help="print each event as it came, one a line (the default unless on a terminal)",
    )
    form.add_argument(
        "--text",
        dest="as_json",
        action="store_false",
        help="print a line that people can read (the default on a terminal)",
    )
    form.add_argument(
        "--positions",
        action="store_true",
        help="print each event with its group and its position, as JSON, one a line",
    )
    parser.add_argument(
        "--colour",
        "--color",
        action=BooleanOptionalAction,
        help="use colours or not; on a terminal they are used unless NO_COLOR is set",
    )


def choose(stream: TextIO, *, as_json: bool | None = None, colour: bool | None = None) -> Style:
    """Decide how to print.

    Args:
        stream: Where to.
        as_json: The option of `add_arguments`, None where the user left it open.
        colour: The same.

    Returns:
        What the options say; for what they leave open, what suits the stream. The environment
        variables NO_COLOR (https://no-color.org) and TERM=dumb are honoured.
    """
    on_terminal = stream.isatty()
    if colour is None:
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        colour = on_terminal and not plain
    return Style(not on_terminal if as_json is None else as_json, on_terminal, colour)


class EventPrinter:
    """Prints events, each at once: whoever reads a pipe should not wait."""

    def __init__(
        self,
        stream: TextIO,
        style: Style,
        *,
        pad: int = 0,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Print nothing yet.

        Args:
            stream: Where to: bytes go to its buffer, in its encoding.
            style: How.
            pad: Columns for the names of groups, in lines for people.
            now: The wall clock, for the times in lines for people.
        """
        self._stream = stream.buffer
        self._encoding = stream.encoding
        self._style = style
        self._pad = pad
        self._now = now

    def print(self, payload: bytes, event: object) -> None:
        """Print an event.

        Args:
            payload: The event as it came: valid JSON.
            event: The same, decoded.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        self._stream.write(self._line(payload, event) + b"\n")
        self._stream.flush()

    def _line(self, payload: bytes, event: object) -> bytes:
        if self._style.as_json:
            # Raw line ends are white space to JSON, never part of a string: a space means the same.
            line = payload.replace(b"\r", b" ").replace(b"\n", b" ")
            return self._encode(neutralise_json(line.decode())) if self._style.on_terminal else line
        clock = f"{self._now():%H:%M:%S.%f}"[:-3]
        width = shutil.get_terminal_size().columns if self._style.on_terminal else None
        return self._encode(render(event, clock, width, colour=self._style.colour, pad=self._pad))

    def _encode(self, line: str) -> bytes:
        return line.encode(self._encoding, "backslashreplace")


def say(sentence: str) -> None:
    """Tell the user something on standard error.

    Args:
        sentence: One line; what a terminal must not see is made harmless.
    """
    print(f"towerws: {neutralise(sentence)}", file=sys.stderr, flush=True)
