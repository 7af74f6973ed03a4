"""The frames of profile "towerws.v1": those of `towerws.core.wire`, and positions.

Server, first frame::

    {"accept": true, "user": <id>, "position": "<p>", "heartbeat": 15}

Client, the first time, and when it comes back::

    {"groups": {"jobs": ["summary"]}}
    {"groups": {"jobs": ["summary"]}, "since": "<p>"}

Server: the answer; an event; a sign of life; what may be missing; that it is about to close::

    {"groups_current": [...], "groups_left": [...], "groups_joined": [...], "position": "<p>"}
    {"groups_current": [...], ..., "resumed": true, "replayed": 3, "position": "<p>"}
    {"group": "jobs-summary", "position": "<p>", "event": {...}}
    {"heartbeat": "<p>"}
    {"gap": "<why>", "position": "<p>"}
    {"reconnect": {"after_ms": 1700}}

docs/protocol.md tells it to those who write clients.
"""

from collections.abc import Callable, Collection

from towerws.core.event import Event
from towerws.core.wire import FrameError, accepted, dump, subscription

#: This profile's name as a WebSocket subprotocol.
SUBPROTOCOL = "towerws.v1"

#: Longest position that is looked at, in characters; ours have less than half of that.
MAX_POSITION = 128


def read_since(since: object) -> str | None:
    """Read where a client wants to go on.

    Args:
        since: What its frame says, decoded; None if that is nothing.

    Returns:
        A position, which need not be one of ours.

    Raises:
        FrameError: It cannot be a position.
    """
    if since is None:
        return None
    if not isinstance(since, str) or len(since) > MAX_POSITION:
        raise FrameError("'since' is not a position that this server gave")
    return since


def accept(user: int | str | None, position: str, heartbeat: float) -> bytes:
    """Build the first frame of an accepted connection.

    Args:
        user: The user's id, None for an anonymous one.
        position: Where the log stands.
        heartbeat: Seconds from one sign of life to the next.

    Returns:
        The frame's payload, JSON in UTF-8, as from all functions below.
    """
    return dump({**accepted(user), "position": position, "heartbeat": heartbeat})


def subscribed(
    current: Collection[str], left: Collection[str], joined: Collection[str], position: str
) -> bytes:
    """Build the answer to a subscription that is in force, and did not ask for a replay.

    Args:
        current: All groups that the connection is in now.
        left: Those that it was in before, and is no more.
        joined: Those that it was not in before.
        position: Where the log stands.
    """
    return dump({**subscription(current, left, joined), "position": position})


def resumed(
    current: Collection[str],
    left: Collection[str],
    joined: Collection[str],
    position: str,
    *,
    replayed: int | None,
) -> bytes:
    """Build the answer to a subscription that asked for a replay.

    Args:
        current: All groups that the connection is in now.
        left: Those that it was in before, and is no more.
        joined: Those that it was not in before.
        position: Where the log stands.
        replayed: How many events up to there come next; None if they cannot be replayed.
    """
    return dump(
        {
            **subscription(current, left, joined),
            "resumed": replayed is not None,
            "replayed": replayed or 0,
            "position": position,
        }
    )


def enveloping(format_position: Callable[[Event], str]) -> Callable[[Event], bytes]:
    """Make what puts events into their envelopes, the payload byte for byte.

    Args:
        format_position: Gives the position of an event.
    """

    def envelope(event: Event) -> bytes:
        # Neither names nor positions have anything in them that JSON would escape.
        head = f'{{"group": "{event.group}", "position": "{format_position(event)}", "event": '
        return b"%b%b}" % (head.encode("ascii"), event.payload)

    return envelope


def heartbeat(position: str) -> bytes:
    """Build a sign of life.

    Args:
        position: Up to which the client has everything.
    """
    return dump({"heartbeat": position})


def gap(why: str, position: str) -> bytes:
    """Build the news that events may be missing.

    Args:
        why: One sentence, for people.
        position: From which on nothing is missing.
    """
    return dump({"gap": why, "position": position})


def reconnect(after_ms: int) -> bytes:
    """Build the news that the server is about to close.

    Args:
        after_ms: Milliseconds after which the client is to come back.
    """
    return dump({"reconnect": {"after_ms": after_ms}})
