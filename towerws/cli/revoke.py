"""`towerws revoke`: takes access away from a user's connections."""

from argparse import ArgumentParser, Namespace
from typing import Any

from towerws.cli.emit import add_url
from towerws.cli.errors import CommandError
from towerws.core.revocation import Revocation
from towerws.notify import EmitError
from towerws.notify.connecting import DEFAULT_EXCHANGE
from towerws.notify.revoking import revoke


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command and its arguments.

    Args:
        parser: The parser of this command alone.
    """
    parser.description = (
        "Close all connections of a user, or take them out of groups, on every node at once. It "
        "holds for the connections that there are: who may come back is for the backend to say."
    )
    parser.add_argument("--user", required=True, metavar="ID", help="the user's id")
    parser.add_argument(
        "--group",
        metavar="NAME",
        help="such as job_events-42, or a pattern, 'jobs-*'; all connections if not given",
    )
    parser.add_argument(
        "--exchange",
        default=DEFAULT_EXCHANGE,
        help="the broker's, where the server was started with another one (%(default)s)",
    )
    add_url(parser)


def run(arguments: Namespace) -> int:
    """Revoke.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        0: it is confirmed.

    Raises:
        CommandError: It is not.
    """
    try:
        revocation = Revocation(arguments.user, arguments.group)
        answer = revoke(revocation, arguments.url, exchange=arguments.exchange)
    except (EmitError, ValueError, OSError) as error:
        raise CommandError(f"not revoked: {error}") from None
    print(_outcome(answer))
    return 0


def _outcome(answer: dict[str, Any]) -> str:
    """Say what became of it."""
    connections = answer.get("connections")
    if connections is None:
        return "revoked: the broker has it and tells every node"
    return f"revoked: {connections} connection{'' if connections == 1 else 's'}"
