"""`towerws listen`: prints the events of groups as they come, and comes back when they stop."""

import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred

from towerws.cli import output
from towerws.cli.client import Refused, Subscription
from towerws.cli.errors import CommandError
from towerws.cli.listener import Listener
from towerws.cli.reactor import run_in_reactor
from towerws.cli.render import neutralise
from towerws.cli.target import Target
from towerws.core.groups import GroupError, split_name

DEFAULT_URL = "ws://127.0.0.1:8051/websocket/"

#: The cookie whose value AWX wants again as ``xrftoken`` in every subscribe frame.
_CSRF_COOKIE = "csrftoken"

#: A header's name (RFC 9110, token), and a value without what would end it.
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")

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

exit status: 0 after --count events or --for seconds, 1 when the server refuses or --for was over
before --count, 130 after Ctrl-C, 141 when nobody reads the output any more."""


class PrintingAudience:
    """Prints what is heard, and counts it.

    Attributes:
        heard: How many events came.
    """

    def __init__(
        self, printer: output.EventPrinter, name: str, count: int | None, enough: Callable[[], None]
    ) -> None:
        """Hear nothing yet.

        Args:
            printer: Prints the events.
            name: What to call the server.
            count: How many events are enough; no number is, if not given.
            enough: Called once, when they have come.
        """
        self.heard = 0
        self._printer = printer
        self._name = name
        self._count = count
        self._enough = enough

    def joined(self, groups: Sequence[str]) -> None:
        """Say that the subscription is in force."""
        output.say(f"listening to {', '.join(groups)} at {self._name}")

    def event(self, payload: bytes, event: object) -> None:
        """Print an event."""
        self._printer.print(payload, event)
        self.heard += 1
        if self.heard == self._count:
            self._enough()

    def notice(self, sentence: str) -> None:
        """Pass on what else happened."""
        output.say(sentence)


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
        "--url", help=f"ws://, wss:// or ws+unix:///path/of/socket (default {DEFAULT_URL})"
    )
    parser.add_argument("--count", type=_positive_int, metavar="N", help="end after N events")
    parser.add_argument(
        "--for", dest="seconds", type=_positive, metavar="SECONDS", help="end after so long"
    )
    add_header(parser)
    output.add_arguments(parser)


def add_header(parser: ArgumentParser) -> None:
    """Add the option for headers of the handshake.

    Args:
        parser: A command's parser.
    """
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="NAME:VALUE",
        help="a header for the handshake; may be given again",
    )


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
    target = target_of(arguments.url)
    subscription = subscription_to(arguments.groups, arguments.header)
    enough = False

    def stop() -> None:
        nonlocal enough
        enough = True
        listening.cancel()

    style = output.choose(stdout, as_json=arguments.as_json, colour=arguments.colour)
    printer = output.EventPrinter(stdout, style, pad=max(map(len, arguments.groups)))
    audience = PrintingAudience(printer, target.name, arguments.count, stop)
    listening = Deferred.fromCoroutine(Listener(reactor, target, subscription, audience).run())
    timer = reactor.callLater(arguments.seconds, stop) if arguments.seconds else None
    try:
        await listening
    except Refused as refusal:
        raise CommandError(neutralise(str(refusal))) from None
    except CancelledError:
        if not enough:
            raise
    finally:
        if timer is not None and timer.active():
            timer.cancel()
    return 0 if arguments.count is None or audience.heard >= arguments.count else 1


def target_of(url: str | None) -> Target:
    """Find the server to listen to.

    Args:
        url: What the command line names, if it does.

    Returns:
        What it names, else the environment, else the server on this machine.

    Raises:
        CommandError: The URL is none.
    """
    try:
        return Target.parse(url or os.environ.get("TOWERWS_WS_URL") or DEFAULT_URL)
    except ValueError as error:
        raise CommandError(str(error)) from None


def subscription_to(groups: Sequence[str], header: Iterable[tuple[str, str]]) -> Subscription:
    """Say what to ask the server for, with the credentials of the environment.

    Args:
        groups: Full names.
        header: What ``--header`` gave, pair by pair.

    Returns:
        The subscription.

    Raises:
        CommandError: The cookie or the token cannot be.
    """
    headers = dict(header)
    for variable, form in (
        ("TOWERWS_COOKIE", "Cookie:{}"),
        ("TOWERWS_BEARER", "Authorization:Bearer {}"),
    ):
        if secret := os.environ.get(variable, "").strip():
            try:
                headers.update([_header(form.format(secret))])
            except ArgumentTypeError:
                raise CommandError(f"{variable} has a character that no header has") from None
    pairs = (part.partition("=") for part in headers.get("Cookie", "").split(";"))
    tokens = [value.strip().strip('"') for name, _, value in pairs if name.strip() == _CSRF_COOKIE]
    return Subscription(groups, headers, tokens[0] if tokens else None)


def _group(text: str) -> str:
    try:
        split_name(text)
    except GroupError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def _header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text.partition(':')[0]!r} is not the NAME of a NAME:VALUE")
    return match[1].title(), match[2].rstrip()


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
