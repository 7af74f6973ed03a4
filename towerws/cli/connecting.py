"""The server that a command listens to: command line and environment say where, and who asks."""

import os
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Sequence

from towerws.cli.errors import CommandError
from towerws.client import Subscription, Target

DEFAULT_URL = "ws://127.0.0.1:8051/websocket/"

#: The cookie whose value AWX wants again as ``xrftoken`` in every subscribe frame.
_CSRF_COOKIE = "csrftoken"

#: A header's name (RFC 9110, token), and a value without what would end it.
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")


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


def _header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text.partition(':')[0]!r} is not the NAME of a NAME:VALUE")
    return match[1].title(), match[2].rstrip()
