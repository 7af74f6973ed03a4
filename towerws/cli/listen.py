"""`towerws listen`: prints the events of groups as they come, and comes back when they stop."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred

from towerws.cli import connecting, output
from towerws.cli.errors import CommandError
from towerws.cli.reactor import run_in_reactor
from towerws.cli.render import neutralise
from towerws.client import Event, Listener, Refused, Unknown
from towerws.core.groups import GroupError, split_name
from towerws.core.wire_v1 import MAX_POSITION

_HINT = " (TOWERWS_COOKIE, TOWERWS_BEARER)"

#: Longest ``--for``, in seconds: some 30 years.
_LONGEST = 1e9

_EPILOG = """\
environment:
  TOWERWS_WS_URL  the server, where --url is not given
  TOWERWS_COOKIE  the Cookie header, as a browser sends it; of "csrftoken=..." in it, the value
                  is sent as xrftoken too, which AWX wants
  TOWERWS_BEARER  a token, sent as Authorization: Bearer
  SSL_CERT_FILE   certificates that wss:// trusts, where the system's are not enough
  NO_COLOR        no colours

When the connection is lost it comes back, and a towerws server sends what came meanwhile. Where
events may be missing all the same, standard error says "gap: ..." and why; so it does each time
after a server without positions, such as AWX's own.

exit status: 0 after --count events or --for seconds, 1 when the server refuses or --for was over
before --count, 130 after Ctrl-C, 141 when nobody reads the output any more."""


class PrintingAudience:
    """Prints what is heard, and counts it.

    Attributes:
        heard: How many events came.
    """

    def __init__(
        self,
        printer: output.EventPrinter,
        name: str,
        count: int | None,
        enough: Callable[[], None],
        *,
        with_positions: bool = False,
    ) -> None:
        """Hear nothing yet.

        Args:
            printer: Prints the events.
            name: What to call the server.
            count: How many events are enough; no number is, if not given.
            enough: Called once, when they have come.
            with_positions: Whether to print the position of each event along.
        """
        self.heard = 0
        self._printer = printer
        self._name = name
        self._count = count
        self._enough = enough
        self._with_positions = with_positions

    def joined(self, groups: Sequence[str]) -> None:
        """Say that the subscription is in force."""
        output.say(f"listening to {', '.join(groups)} at {self._name}")

    def event(self, event: Event) -> None:
        """Print an event."""
        payload = enveloped(event) if self._with_positions else event.payload
        self._printer.print(payload, event.value)
        self.heard += 1
        if self.heard == self._count:
            self._enough()

    def gap(self, why: str) -> None:
        """Say that events may be missing."""
        output.say(f"gap: {why}")

    def notice(self, sentence: str) -> None:
        """Pass on what else happened."""
        output.say(sentence)


def enveloped(event: Event) -> bytes:
    """Write an event as profile "towerws.v1" sends it.

    Args:
        event: The event, of any profile.

    Returns:
        A JSON object with ``group`` and ``position``, null where the server tells none, and
        ``event``, the payload byte for byte.
    """
    head = json.dumps({"group": event.group, "position": event.position})
    return b'%b, "event": %b}' % (head.removesuffix("}").encode(), event.payload)


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command and its arguments.

    Args:
        parser: The parser of this command alone.
    """
    parser.description = "Print the events of groups as they come; reconnect when need be."
    parser.epilog = _EPILOG
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.add_argument(
        "groups", nargs="+", type=_group, metavar="GROUP", help="such as jobs-status_changed"
    )
    parser.add_argument(
        "--url",
        help=f"ws://, wss:// or ws+unix:///path/of/socket (default {connecting.DEFAULT_URL})",
    )
    parser.add_argument("--count", type=_positive_int, metavar="N", help="end after N events")
    parser.add_argument(
        "--for", dest="seconds", type=_positive, metavar="SECONDS", help="end after so long"
    )
    parser.add_argument(
        "--since",
        type=_position,
        metavar="POSITION",
        help="begin with what came after a position that --positions has shown",
    )
    connecting.add_header(parser)
    output.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Listen.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        CommandError: The server refuses, or the URL is none.
        BrokenPipeError: Nobody reads our standard output any more.
    """
    return run_in_reactor(lambda reactor: listen(reactor, arguments, sys.stdout))


async def listen(reactor: Any, arguments: Namespace, stdout: TextIO) -> int:
    """Listen until it is enough.

    Args:
        reactor: Clock and connections.
        arguments: What the parser made of the command line.
        stdout: Where the events go; bytes are written to its buffer.

    Returns:
        The exit status.

    Raises:
        CommandError: The server refuses, or the URL is none.
        BrokenPipeError: Nobody reads the events any more.
        CancelledError: It was cancelled.
    """
    target = connecting.target_of(arguments.url)
    subscription = connecting.subscription_to(arguments.groups, arguments.header)
    enough = False

    def stop() -> None:
        nonlocal enough
        enough = True
        listening.cancel()

    as_json = True if arguments.positions else arguments.as_json
    style = output.choose(stdout, as_json=as_json, colour=arguments.colour)
    audience = PrintingAudience(
        output.EventPrinter(stdout, style, pad=max(map(len, arguments.groups))),
        target.name,
        arguments.count,
        stop,
        with_positions=arguments.positions,
    )
    listener = Listener(reactor, target, subscription, audience, since=arguments.since)
    listening = Deferred.fromCoroutine(listener.run())
    timer = reactor.callLater(arguments.seconds, stop) if arguments.seconds else None
    try:
        await listening
    except Refused as refusal:
        hint = _HINT if isinstance(refusal, Unknown) else ""
        raise CommandError(neutralise(f"{refusal}{hint}")) from None
    except CancelledError:
        if not enough:
            raise
    finally:
        if timer is not None and timer.active():
            timer.cancel()
    return 0 if arguments.count is None or audience.heard >= arguments.count else 1


def _group(text: str) -> str:
    try:
        split_name(text)
    except GroupError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def _position(text: str) -> str:
    if not 0 < len(text) <= MAX_POSITION:
        raise ArgumentTypeError(f"a position has 1 to {MAX_POSITION} characters")
    return text


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
