"""`towerws emit`: publishes one event."""

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from towerws.cli.errors import CommandError
from towerws.notify import EmitError, Publisher

#: Most bytes that are read from standard input: well above what any server takes.
MAX_INPUT = 64 * 1024 * 1024


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command and its arguments.

    Args:
        parser: The parser of this command alone.
    """
    parser.description = "Publish one event."
    parser.add_argument("group", metavar="GROUP", help="such as jobs-status_changed")
    parser.add_argument("payload", metavar="JSON", help="the event, an object; - reads it")
    add_url(parser)


def add_url(parser: ArgumentParser) -> None:
    """Add the option that says where to publish to.

    Args:
        parser: A command's parser.
    """
    parser.add_argument(
        "--url",
        help="http(s):// or amqp(s)://, where to publish to; TOWERWS_URL, which hides its password "
        "from other users, if not given; else the server on this machine",
    )


def run(arguments: Namespace) -> int:
    """Publish.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        0.

    Raises:
        CommandError: The event was not published.
    """
    payload = _read(arguments.payload)
    with open_publisher(arguments.url) as publisher:
        try:
            publisher.emit(arguments.group, payload, strict=True)
        except EmitError as error:
            raise CommandError(str(error)) from None
    return 0


def open_publisher(url: str | None, **options: Any) -> Publisher:
    """Make a publisher; it connects when the first event is published.

    Args:
        url: Where to publish to; as `add_url` says if None.
        **options: Further settings of `Publisher`.

    Returns:
        The publisher, to be closed.

    Raises:
        CommandError: The URL cannot be used, or a certificate that it names.
    """
    try:
        return Publisher(url, **options)
    except (ValueError, OSError) as error:
        raise CommandError(f"the publisher cannot be made: {error}") from None


def _read(text: str) -> Any:
    try:
        if text == "-":
            text = sys.stdin.read(MAX_INPUT + 1)
            if len(text) > MAX_INPUT:
                raise CommandError(f"standard input has more than {MAX_INPUT} characters")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"the event is not JSON: {error}") from None
