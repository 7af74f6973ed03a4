"""The clients' wire protocol, profile "awx": messages in, requests out, and the server's frames.

Server, first frame::

    {"accept": true, "user": <id>}

Server, not authenticated, before Close 1000::

    {"close": true}

Client::

    {"groups": {"jobs": ["summary"], "job_events": [42]}, "xrftoken": "..."}

Server, for each refused object, and then when the subscription is in force::

    {"error": "access denied to channel job_events for resource id 42"}
    {"groups_current": [...], "groups_left": [...], "groups_joined": [...]}

Server, for each event, the payload as it was published.

docs/protocol.md tells it to those who write clients.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

from towerws.core.groups import Group, GroupError, TooManyGroups, expand

#: This profile's name as a WebSocket subprotocol, for clients that offer others beside it: browsers
#: fail a connection that offers some and gets none. It is spoken as well to those that offer none.
SUBPROTOCOL = "towerws.awx"


class CloseCode(IntEnum):
    """Why a websocket is closed (RFC 6455, section 7.4, and the IANA registry)."""

    NORMAL = 1000
    """Nothing is wrong; AWX's clients stay down."""
    POLICY = 1008
    """The client went over a limit again and again."""
    INTERNAL_ERROR = 1011
    """A fault of ours."""
    SERVICE_RESTART = 1012
    """Events may have been missed: reconnect and fetch anew."""
    TRY_AGAIN_LATER = 1013
    """The client reads too slowly."""
    EXPIRED = 4401
    """The credentials are no longer valid."""


class FrameError(ValueError):
    """A frame that was not understood; its text is one sentence, meant for the client."""


@dataclass(frozen=True, slots=True)
class Request:
    """One frame of a client that was understood.

    Attributes:
        groups: What the client wants to hear from now on, or None when the frame did not say.
        token: The frame's ``xrftoken`` as it was decoded; anything at all.
        since: The same of ``since``, of which profile "awx" knows nothing.
    """

    groups: tuple[Group, ...] | None
    token: object = field(repr=False)
    since: object = None


def parse(payload: bytes, *, is_binary: bool, max_groups: int | None = None) -> Request:
    """Read one message of a client.

    Args:
        payload: The message.
        is_binary: True if it came as a binary message.
        max_groups: How many groups it may name; None for any number.

    Returns:
        What the client asks for.

    Raises:
        TooManyGroups: It names more than that.
        FrameError: The message is not understood and is to be answered with this sentence.
    """
    if is_binary:
        raise FrameError("binary frames are not understood: send JSON as text")
    try:
        frame = json.loads(payload.decode("utf-8"))
    except RecursionError:
        raise FrameError("the frame is nested too deeply") from None
    except ValueError:
        raise FrameError("the frame is not JSON") from None
    if not isinstance(frame, dict):
        raise FrameError("the frame is not a JSON object")
    if "groups" not in frame:
        return Request(None, frame.get("xrftoken"))
    try:
        groups = expand(frame["groups"], max_groups)
    except TooManyGroups:
        raise
    except GroupError as error:
        raise FrameError(str(error)) from None
    return Request(groups, frame.get("xrftoken"), frame.get("since"))


def accept(user: int | str | None) -> bytes:
    """Build the first frame of an accepted connection.

    Args:
        user: The user's id, None for an anonymous one.

    Returns:
        The frame's payload, JSON in UTF-8, as from all functions below.
    """
    return dump(accepted(user))


def accepted(user: int | str | None) -> dict[str, object]:
    """Give what the first frame says in every profile; see `accept`."""
    return {"accept": True, "user": user}


def refuse() -> bytes:
    """Build the only frame of a connection that is not authenticated."""
    return dump({"close": True})


def error(sentence: str) -> bytes:
    """Build the answer to a frame that had no effect.

    Args:
        sentence: What was wrong with it.
    """
    return dump({"error": sentence})


#: The sentence of AWX for a frame without the right ``xrftoken``.
ACCESS_DENIED = "access denied to channel"


def object_denied(group: Group) -> bytes:
    """Build the answer to a group that the user may not hear.

    Args:
        group: The refused one.
    """
    return error(f"{ACCESS_DENIED} {group.group} for resource id {group.element}")


def subscribed(current: Collection[str], left: Collection[str], joined: Collection[str]) -> bytes:
    """Build the answer to a subscription that is in force.

    Args:
        current: All groups that the connection is in now.
        left: Those that it was in before, and is no more.
        joined: Those that it was not in before.
    """
    return dump(subscription(current, left, joined))


def subscription(
    current: Collection[str], left: Collection[str], joined: Collection[str]
) -> dict[str, object]:
    """Give what the answer to a subscription says in every profile; see `subscribed`."""
    return {
        "groups_current": sorted(current),
        "groups_left": sorted(left),
        "groups_joined": sorted(joined),
    }


def dump(frame: dict[str, object]) -> bytes:
    """Write a frame of the server.

    Args:
        frame: What it says.

    Returns:
        Its payload, JSON in ASCII.
    """
    return json.dumps(frame).encode("ascii")
