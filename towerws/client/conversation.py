"""One connection's half of the protocol: frames of the server in, what they say out.

Both profiles of docs/protocol.md: "towerws.v1", and "awx", which every AWX since 1.0 speaks. No
I/O and no clock: whoever has the connection carries the frames.
"""

import json
from collections.abc import Set
from typing import Any

from towerws.client.happenings import (
    Accepted,
    Dropped,
    Event,
    Gap,
    Happening,
    Heartbeat,
    Joined,
    Objection,
    Reconnect,
)
from towerws.client.subscription import Subscription
from towerws.core.wire_v1 import SUBPROTOCOL

#: Longest delay that a server may ask for before we come back, in seconds.
LONGEST_ORDERED_DELAY = 300.0

#: Longest time between two heartbeats that is believed, in seconds.
LONGEST_HEARTBEAT = 3600.0

_REPLY_KEYS = frozenset({"groups_current", "groups_left", "groups_joined"})

#: The last key of an event's envelope. In a string before it the quotes would be escaped.
_EVENT_KEY = b'"event":'

_NOTHING_REPLAYED = "the server replays nothing: events since the last connection may be missing"


class Refused(Exception):
    """The server will not have us, however often we ask: the text is one sentence."""


class Unknown(Refused):
    """The server does not know who we are."""


class Conversation:
    """What is said on one connection, from the first frame on.

    Attributes:
        position: Where a hearer is who has been told everything so far; None if that is nowhere.
    """

    __slots__ = (
        "_greeted",
        "_has_positions",
        "_is_continuous",
        "_missed",
        "_replied",
        "_subscription",
        "position",
    )

    def __init__(
        self,
        subscription: Subscription,
        subprotocol: str | None,
        *,
        since: str | None = None,
        returning: bool = False,
    ) -> None:
        """Have said nothing yet.

        Args:
            subscription: What to ask for.
            subprotocol: What the server selected in the handshake: "towerws.v1" for that profile,
                anything else for profile "awx".
            since: Where the hearer is; None if it was told nothing yet, or nothing with a position.
            returning: Whether the hearer counts on having been told everything so far.
        """
        self.position = since
        self._subscription = subscription
        self._has_positions = subprotocol == SUBPROTOCOL
        self._missed = _NOTHING_REPLAYED if returning or since is not None else None
        self._greeted = False
        self._replied = False
        # Whether everything from the position on comes: not before the answer to the subscription,
        # and not before the gap, if that says that there is one.
        self._is_continuous = False

    def subscribe(self) -> bytes:
        """Write the only frame that is sent: the subscription, with where to go on."""
        return self._subscription.frame(self.position if self._has_positions else None)

    def take(self, payload: bytes) -> Happening:
        """Take in a frame of the server.

        Args:
            payload: What it says.

        Returns:
            What that means.

        Raises:
            Unknown: The server does not let us in.
            Refused: It lets us into none of the groups.
        """
        if self._has_positions and (event := self._envelope(payload)) is not None:
            self._greeted = True
            return event
        try:
            frame = json.loads(payload)
        except (ValueError, RecursionError):
            return self._drop(payload, "not JSON")
        first, self._greeted = not self._greeted, True
        keys = frame.keys() if isinstance(frame, dict) else frozenset[str]()
        if first and keys == {"close"}:
            raise Unknown("the server does not know us: it wants credentials")
        if first and "accept" in keys:
            return Accepted(self.position, _heartbeat(frame))
        if keys == {"error"}:
            return Objection(self.position, str(frame["error"]))
        if self._is_reply(frame, keys):
            return self._reply(frame)
        return self._news(frame, payload) if self._has_positions else self._bare(frame, payload)

    def _envelope(self, frame: bytes) -> Event | None:
        """Take an event out of its envelope; None if the frame is something else."""
        at = frame.find(_EVENT_KEY)
        if at < 0 or not frame.endswith(b"}"):
            return None
        begin = at + len(_EVENT_KEY)
        # One space at most is the server's; more would be the publisher's.
        begin += frame.startswith(b" ", begin)
        payload = frame[begin:-1]
        try:
            head = json.loads(frame[:begin] + b"0}")
            value = json.loads(payload)
        except (ValueError, RecursionError):
            return None
        match head:
            case {"group": str(group), "position": str(position), "event": _}:
                self.position = position
                return Event(position, group, payload, value)
        return None

    def _is_reply(self, frame: Any, keys: Set[str]) -> bool:
        """Tell whether a frame is an answer to a subscription."""
        is_reply = keys >= _REPLY_KEYS if self._has_positions else keys == _REPLY_KEYS
        return is_reply and isinstance(frame["groups_current"], list)

    def _reply(self, frame: dict[str, Any]) -> Joined:
        """Take the answer to the subscription, or what comes when access to a group has ended."""
        if not (groups := [str(name) for name in frame["groups_current"]]):
            raise Refused("the server lets us into none of the groups")
        missed = None
        if not self._replied:
            self._replied = True
            missed = self._resume(frame)
        # Later ones come unasked, perhaps in the middle of a replay: they say nothing of where
        # the hearer is.
        return Joined(self.position, groups, missed)

    def _resume(self, reply: dict[str, Any]) -> str | None:
        """Find out where the hearer is, now that the server has said what it replays.

        Returns:
            Why events may be missing; None if they are not, or the server says so next.
        """
        match reply:
            case {"resumed": False}:
                # The gap that comes next moves the position: it is to be heard of, even if the
                # connection is lost before.
                return None
            case {"resumed": True, "replayed": int(replayed)} if replayed > 0:
                # Each event moves it.
                pass
            case {"position": str(position)} if self._has_positions:
                self.position = position
            case _:
                self.position = None
        self._is_continuous = True
        return None if reply.get("resumed") is True else self._missed

    def _bare(self, value: object, payload: bytes) -> Event:
        """Take an event of profile "awx"; it has no position, and those we know lie before it."""
        self.position = None
        return Event(None, None, payload, value)

    def _news(self, frame: Any, payload: bytes) -> Happening:
        """Take what only profile "towerws.v1" has."""
        match frame:
            case {"heartbeat": str(position)}:
                if self._is_continuous:
                    self.position = position
                return Heartbeat(self.position)
            case {"gap": str(why), "position": str(position)}:
                self.position = position
                self._is_continuous = True
                return Gap(position, why)
            case {"reconnect": {"after_ms": int(after) | float(after)}} if after >= 0:
                return Reconnect(self.position, min(after / 1000, LONGEST_ORDERED_DELAY))
        return self._drop(payload, "not understood")

    def _drop(self, payload: bytes, what: str) -> Dropped:
        sentence = f"a frame of {len(payload)} bytes that is {what} was dropped"
        return Dropped(self.position, sentence)


def _heartbeat(frame: dict[str, Any]) -> float | None:
    """Read how often the server promises a sign of life, if it does."""
    match frame:
        case {"heartbeat": int(seconds) | float(seconds)} if 0 < seconds <= LONGEST_HEARTBEAT:
            return float(seconds)
    return None
