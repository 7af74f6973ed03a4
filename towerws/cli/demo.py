"""`towerws demo`: server, listener and a recorded job in one go, each a real one.

The server and the replay are processes, started with the commands that a user would type; the
listener is that of `towerws listen`.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from twisted.internet.defer import CancelledError, Deferred

from towerws.cli import output, recording, replay
from towerws.cli.errors import CommandError
from towerws.cli.reactor import run_in_reactor
from towerws.cli.stage import LOOPBACK, LateError, Stage, free_ports, is_free, show_line
from towerws.client import Event, Target
from towerws.client.target import DEFAULT_PATH

#: The server's default ports: websocket, operators' site.
DEFAULT_PORTS = (8051, 8052)

#: How much faster than recorded, so that the demo takes some 7 s.
DEFAULT_SPEED = 4.0

#: How long the server may take to start, in seconds: ten times what it takes on a slow machine.
START_TIMEOUT = 20.0

#: How much longer than by its schedule the replay may take, in seconds.
REPLAY_TOLERANCE = 20.0

#: How long after the last event was published the last one may arrive, in seconds.
ARRIVAL_TIMEOUT = 5.0


_INVITATION = """\
A server listens at {url} and a job runs on it again and again.
See its events from a second terminal:

    {towerws} listen jobs-status_changed job_events-42

Ctrl-C ends it."""


class Witness:
    """Prints what arrives, and compares it with what was to arrive.

    Attributes:
        ready: Fires when the subscription is in force.
        complete: Fires when as many events have arrived as were expected.
    """

    def __init__(self, expected: Sequence[bytes], printer: output.EventPrinter) -> None:
        """Expect events.

        Args:
            expected: The events in their order, byte for byte.
            printer: Prints those that arrive.
        """
        self.ready: Deferred[None] = Deferred()
        self.complete: Deferred[None] = Deferred()
        self._expected = list(expected)
        self._received: list[bytes] = []
        self._printer = printer

    def joined(self, _groups: Sequence[str]) -> None:
        """Note that events can be published now."""
        if not self.ready.called:
            self.ready.callback(None)

    def event(self, event: Event) -> None:
        """Keep and print an event."""
        self._received.append(event.payload)
        self._printer.print(event.payload, event.value)
        if len(self._received) == len(self._expected):
            self.complete.callback(None)

    def gap(self, why: str) -> None:
        """Tell that events may be missing; the verdict says whether any is."""
        output.say(f"gap: {why}")

    def notice(self, sentence: str) -> None:
        """Tell of troubles."""
        output.say(sentence)

    @property
    def content(self) -> bool:
        """Whether every event arrived, once, in order, byte for byte."""
        return self._received == self._expected

    def verdict(self) -> str:
        """Say what arrived in one line."""
        matched = (Counter(self._received) & Counter(self._expected)).total()
        surplus = len(self._received) - matched
        text = f"{matched} of {len(self._expected)} events arrived"
        if surplus:
            text += f", and {surplus} that were not published"
        return text + (", in order" if self.content else ", NOT as they were published")


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command and its arguments.

    Args:
        parser: The parser of this command alone.
    """
    parser.description = (
        "Start a server on free ports, listen to it, publish a recorded job, and compare what "
        "arrives. Ends by itself, with status 0 if every event arrived in order."
    )
    parser.add_argument(
        "--speed",
        type=replay.speed,
        help=f"how much faster than recorded (default {DEFAULT_SPEED:g}; 1 with --forever); "
        "0 does not wait at all",
    )
    parser.add_argument(
        "--forever",
        action="store_true",
        help="a server on the default ports and the job again and again, until Ctrl-C",
    )


def run(arguments: Namespace) -> int:
    """Give the demo.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        CommandError: A part of it failed.
    """
    if arguments.forever:
        speed = 1.0 if arguments.speed is None else arguments.speed
        return run_in_reactor(lambda reactor: forever(reactor, speed))
    speed = DEFAULT_SPEED if arguments.speed is None else arguments.speed
    return run_in_reactor(lambda reactor: demo(reactor, speed, sys.stdout))


async def demo(reactor: Any, speed: float, stdout: TextIO) -> int:
    """Play the recorded job through.

    Args:
        reactor: Starts the processes, connects, and measures the time.
        speed: How much faster than recorded.
        stdout: Where the events go.

    Returns:
        0 if every event arrived, in order, byte for byte; 1 otherwise.

    Raises:
        CommandError: A part of it failed; what the processes wrote has been printed.
    """
    events = recording.shipped()
    groups = sorted({each.group for each in events})
    # The bytes in the recording itself, and those that AWX would send: json.dumps makes both.
    expected = [json.dumps(each.event).encode() for each in events]
    style = output.choose(stdout, as_json=False)
    witness = Witness(expected, output.EventPrinter(stdout, style, pad=max(map(len, groups))))
    websocket, operations = free_ports(2)
    stage = Stage(reactor)
    try:
        await _start_server(stage, websocket, operations)
        stage.listen(Target.parse(_url(websocket)), groups, witness)
        await stage.wait_for(witness.ready, START_TIMEOUT, "the subscription")
        print(f"listening to {', '.join(groups)} at {_url(websocket)}", file=stdout, flush=True)
        player = stage.start("replay", *_replay(operations, speed), lasts=False)
        longest = (events[-1].at / speed if speed else 0.0) + REPLAY_TOLERANCE
        await stage.wait_for(player.ended(), longest, "the replay")
        await _arrival(stage, witness)
    except CommandError:
        stage.show_logs()
        raise
    finally:
        await stage.clear()
    print(witness.verdict(), file=stdout, flush=True)
    return 0 if witness.content else 1


async def forever(reactor: Any, speed: float) -> int:
    """Play the recorded job again and again, on a server that others can listen to.

    Args:
        reactor: Starts the processes, connects, and measures the time.
        speed: How much faster than recorded.

    Returns:
        0, when it was cancelled.

    Raises:
        CommandError: A part of it failed.
    """
    for port in DEFAULT_PORTS:
        if not is_free(port):
            raise CommandError(f"port {port} is in use; does a server run already?")
    websocket, operations = DEFAULT_PORTS
    stage = Stage(reactor)
    try:
        await _start_server(stage, websocket, operations, echo=show_line)
        stage.start("replay", *_replay(operations, speed), "--loop")
        print(_INVITATION.format(url=_url(websocket), towerws=program()), flush=True)
        never: Deferred[NoReturn] = Deferred()
        await stage.wait_for(never, None, "")
    except CancelledError:
        return 0
    finally:
        await stage.clear()


async def _start_server(
    stage: Stage, websocket: int, operations: int, echo: Callable[[bytes], object] | None = None
) -> None:
    endpoint = f"tcp:{{}}:interface={LOOPBACK}"
    command = (
        *("-m", "twisted", "--log-format=text", "towerws"),
        *("--listen", endpoint.format(websocket)),
        *("--operations", endpoint.format(operations)),
    )
    stage.start("server", *command, echo=echo)
    for port in (websocket, operations):
        accepting = Deferred.fromCoroutine(stage.accepting(port))
        await stage.wait_for(accepting, START_TIMEOUT, "the start of the server")


async def _arrival(stage: Stage, witness: Witness) -> None:
    try:
        await stage.wait_for(witness.complete, ARRIVAL_TIMEOUT, "the arrival of the last event")
    except LateError as late:
        # No end in itself: the verdict says what is missing.
        output.say(str(late))


def _replay(operations: int, speed: float) -> Sequence[str]:
    url = f"http://{LOOPBACK}:{operations}"
    return ("-m", "towerws", "replay", "--speed", f"{speed}", "--url", url)


def _url(port: int) -> str:
    return f"ws://{LOOPBACK}:{port}{DEFAULT_PATH}"


def program() -> str:
    """Say how to call this program from where the user is.

    Returns:
        The command, such as ``.venv/bin/towerws``.
    """
    script = Path(sys.executable).with_name("towerws")
    if not script.exists():
        return f"{sys.executable} -m towerws"
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)
