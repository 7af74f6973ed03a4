"""`towerws replay`: publishes a recorded job, event by event, when its time has come."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from towerws.cli import emit, recording
from towerws.cli.errors import CommandError
from towerws.cli.progress import ProgressLine
from towerws.cli.recording import RecordedEvent
from towerws.notify import EmitError

#: Pause between two rounds of ``--loop``, in seconds at ``--speed 1``: a listener sees where one
#: ends.
PAUSE = 2.0


@dataclass(slots=True)
class Player:
    """Publishes recorded events on schedule.

    Every event is due at a time counted from the start, so that the time that publishing takes does
    not add up to a delay.

    Attributes:
        publish: Publishes one event to a group.
        speed: How much faster than recorded; 0 does not wait at all.
        published: How many events have been published.
    """

    publish: Callable[[str, dict[str, object]], object]
    speed: float
    published: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def play(self, events: Sequence[RecordedEvent], progress: Callable[[int], object]) -> None:
        """Publish the events, once.

        Args:
            events: In the order of their times.
            progress: Told after each event how many of these have been published.

        Raises:
            EmitError: One could not be published; those behind it are not tried.
        """
        started = self.clock()
        for number, recorded in enumerate(events, start=1):
            self.wait(recorded.at - (self.clock() - started) * self.speed)
            self.publish(recorded.group, recorded.event)
            self.published += 1
            progress(number)

    def wait(self, seconds: float) -> None:
        """Sleep.

        Args:
            seconds: How long in the time of the recording; not at all if it has passed.
        """
        if self.speed and seconds > 0:
            self.sleep(seconds / self.speed)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command and its arguments.

    Args:
        parser: The parser of this command alone.
    """
    parser.description = (
        'Publish a recorded job: lines of {"t": SECONDS, "group": "...", "event": {...}}.'
    )
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="- is standard input; the job that comes with "
        "towerws, a playbook run of 27 s with id 42, if not given",
    )
    parser.add_argument(
        "--speed",
        type=speed,
        default=1.0,
        metavar="N",
        help="how much faster than recorded; 0 does not wait at all",
    )
    parser.add_argument("--loop", action="store_true", help="again and again, until Ctrl-C")
    emit.add_url(parser)


def run(arguments: Namespace) -> int:
    """Replay.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        0; with ``--loop`` it ends by Ctrl-C only.

    Raises:
        CommandError: The recording cannot be read, or an event not be published.
        KeyboardInterrupt: After Ctrl-C; the summary is printed before.
    """
    events = load(arguments.file)
    with emit.open_publisher(arguments.url) as publisher:
        player = Player(partial(publisher.emit, strict=True), arguments.speed)
        started = time.monotonic()
        line = ProgressLine(sys.stderr)
        try:
            _rounds(player, events, line, loop=arguments.loop)
        except EmitError as error:
            raise CommandError(f"event {player.published + 1}: {error}") from None
        finally:
            line.end()
            seconds = time.monotonic() - started
            print(f"{player.published} events published in {seconds:.1f} s", flush=True)
    return 0


def load(path: str | None) -> list[RecordedEvent]:
    """Read a recording.

    Args:
        path: A file; ``-`` is standard input; the shipped recording if not given.

    Returns:
        Its events.

    Raises:
        CommandError: It cannot be read, or is not a recording.
    """
    if path is None:
        return recording.shipped()
    try:
        if path == "-":
            return recording.read(sys.stdin.buffer)
        with Path(path).open("rb") as file:
            return recording.read(file)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except recording.RecordingError as error:
        raise CommandError(f"{path}: {error}") from None


def speed(text: str) -> float:
    """Read the value of ``--speed``.

    Args:
        text: As typed.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: It is not a number from 0 to a million.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 1000000")
    return value


def _rounds(
    player: Player, events: Sequence[RecordedEvent], line: ProgressLine, *, loop: bool
) -> None:
    total = len(events)
    width = len(str(total))

    def progress(number: int) -> None:
        line.show(f"{number:{width}} of {total} events")

    player.play(events, progress)
    while loop:
        player.wait(PAUSE)
        player.play(events, progress)
