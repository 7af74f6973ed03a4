"""A client of the profile "towerws.v1", without any I/O: frames in, frames and a log out.

Written from the protocol alone, and on purpose not on top of the client that the product ships: two
that share a mistake would prove nothing. It keeps its position by the rules, and whatever a server
does that the rules do not allow is a fault in its log.
"""

import json
import math
from collections.abc import Collection
from typing import Any, Final

from tests.chaos.track import BreakKind, ClientLog, pack

#: The WebSocket subprotocol.
SUBPROTOCOL: Final = "towerws.v1"

#: What each kind of frame has, by the key that tells it.
_REPLY = {"groups_current", "groups_left", "groups_joined", "position"}
_SINCE = {"resumed", "replayed"}


class Subscriber:
    """One client, over as many connections as it takes.

    Attributes:
        log: What it saw.
        wanted: The groups it wants to hear; `change` replaces them.
        position: Where it is, None before it was told.
        heartbeat: Seconds between heartbeats, as the server says; None before it has.
        reconnect_after: Seconds that the server asked it to stay away for, None if it did not.
        is_settled: Whether it is connected and knows that its subscription is in force.
    """

    def __init__(self, name: str, wanted: Collection[str]) -> None:
        """Start with no connection.

        Args:
            name: For the log.
            wanted: The groups to hear.
        """
        self.log = ClientLog(name)
        self.wanted = frozenset(wanted)
        self.position: str | None = None
        self.heartbeat: float | None = None
        self.reconnect_after: float | None = None
        self._position_time = -math.inf
        # The groups that a reply has promised; those of which events may come.
        self._promised: frozenset[str] = frozenset()
        self._allowed: frozenset[str] = frozenset()
        # What a frame that is not answered yet asks for, and from where on.
        self._asked: frozenset[str] | None = None
        self._since: str | None = None
        self._is_first = True
        # What the reply said: a gap for these has to be next; so many events are to be replayed.
        self._owed: frozenset[str] = frozenset()
        self._replaying = 0

    @property
    def is_settled(self) -> bool:
        """Whether the subscription is in force, as far as the client knows."""
        return self._asked is None and not self._is_first and self._promised == self.wanted

    def connected(self, time: float, where: str) -> None:
        """Begin a connection; the server speaks first.

        Args:
            time: Seconds.
            where: Which server.
        """
        self.heartbeat = self.reconnect_after = self._asked = self._since = None
        self._is_first, self._replaying = True, 0
        self._allowed = self._owed = frozenset()
        self.log.remark(time, f"connected to {where}, position {self.position}")

    def disconnected(self, time: float, how: str) -> None:
        """End a connection. The promise stays: the client will come back with its position.

        Args:
            time: Seconds.
            how: The close code, or what else it was.
        """
        self._is_first, self._asked = True, None
        self.log.ended(time, how)

    def change(self, wanted: Collection[str], time: float) -> str | None:
        """Want other groups from now on.

        Args:
            wanted: All of them.
            time: Seconds.

        Returns:
            The frame to send; None when there is no connection, so that the next one will ask for
            them, or when the answer to another question is still to come: nothing changes then.
        """
        if not self._is_first and not self.is_settled:
            return None
        self.wanted = frozenset(wanted)
        return None if self._is_first else self._subscribe(time, since=None)

    def received(self, text: str, time: float) -> str | None:
        """Take a frame.

        Args:
            text: The frame.
            time: When it came, in seconds.

        Returns:
            The frame to send in return, if any.
        """
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            self.log.fault(time, f"no JSON object: {text[:100]!r}")
        elif "event" in frame:
            self._event(frame, time)
        elif self._is_first:
            return self._accepted(frame, time)
        elif "heartbeat" in frame:
            self._heartbeat(frame, time)
        elif "groups_current" in frame:
            self._replied(frame, time)
        elif "gap" in frame:
            self._gap(frame, time)
        elif "reconnect" in frame:
            self._reconnect(frame, time)
        else:
            self.log.fault(time, f"unexpected frame {text[:200]}")
        return None

    def _accepted(self, frame: dict[str, Any], time: float) -> str | None:
        if frame.get("accept") is not True or not {"user", "position", "heartbeat"} <= set(frame):
            self.log.fault(time, f"first frame {frame}")
            return None
        self._is_first = False
        self.heartbeat = float(frame["heartbeat"])
        return self._subscribe(time, since=self.position)

    def _subscribe(self, time: float, since: str | None) -> str:
        self._asked, self._since = self.wanted, since
        self._allowed |= self.wanted
        for group in self._promised - self.wanted:
            self.log.track(group).mark(BreakKind.LEFT, time)
        self._promised &= self.wanted
        groups: dict[str, list[str]] = {}
        for name in sorted(self.wanted):
            group, _, kind = name.rpartition("-")
            groups.setdefault(group, []).append(kind)
        frame: dict[str, object] = {"groups": groups}
        if since is not None:
            frame["since"] = since
        self.log.remark(time, f"subscribes to {sorted(self.wanted)} since {since}")
        return json.dumps(frame)

    def _replied(self, frame: dict[str, Any], time: float) -> None:
        asked, self._asked = self._asked, None
        expected = _REPLY if self._since is None else _REPLY | _SINCE
        if asked is None or set(frame) != expected or set(frame["groups_current"]) != asked:
            self.log.fault(time, f"asked for {asked} since {self._since}, was answered {frame}")
            return
        self.log.remark(
            time,
            f"in force, resumed {frame.get('resumed')}, replayed {frame.get('replayed')}, "
            f"position {frame['position']}",
        )
        resumed = frame.get("resumed", True)
        if self._since is not None:
            self._count(resumed, frame["replayed"], time)
        self._allowed = asked
        if not resumed:
            self._owed = asked  # until the gap neither the promise nor the position is new
            return
        due_from = time if self._since is None else self._position_time
        for group in asked - self._promised:
            self.log.track(group).mark(BreakKind.JOINED, time, due_from)
        self._promised = asked
        if not frame.get("replayed", 0):
            self._move(frame, time)

    def _count(self, resumed: bool, replayed: int, time: float) -> None:
        self.log.resumed += resumed
        self.log.refused += not resumed
        self.log.replayed += replayed
        self._replaying = replayed
        if replayed and not resumed:
            self.log.fault(time, f"resumed false, but replayed {replayed}")

    def _event(self, frame: dict[str, Any], time: float) -> None:
        group = frame.get("group")
        event = frame["event"]
        if (
            set(frame) != {"group", "position", "event"}
            or not isinstance(event, dict)
            or event.get("group") != group
        ):
            self.log.fault(time, f"an event {str(frame)[:200]}")
            return
        if group not in self._allowed:
            self.log.fault(time, f"an event of {group}, which was not asked for")
        if self._since is not None and self._asked is not None:
            self.log.fault(time, f"an event of {group} before the answer to a resumption")
        if self._owed:
            self.log.fault(time, "an event between 'resumed: false' and its gap")
        self._replaying = max(0, self._replaying - 1)
        self.log.track(str(group)).saw(pack(event["n"], event["attempt"]), time)
        self._move(frame, time)

    def _heartbeat(self, frame: dict[str, Any], time: float) -> None:
        position = frame["heartbeat"]
        if self._replaying and position != self.position:
            self.log.fault(time, f"a heartbeat leads past {self._replaying} events of the replay")
        if self._owed:
            self.log.fault(time, "a heartbeat between 'resumed: false' and its gap")
        if self._since is not None and self._asked is not None and position != self.position:
            # It would skip what is to be replayed, if the connection ended here.
            self.log.fault(time, f"heartbeat {position} before the answer to a resumption")
        elif self.position is not None:
            self._move({"position": position}, time)

    def _gap(self, frame: dict[str, Any], time: float) -> None:
        owed, self._owed, self._replaying = self._owed, frozenset(), 0
        if set(frame) != {"gap", "position"} or not isinstance(frame["gap"], str):
            self.log.fault(time, f"a gap {frame}")
            return
        self.log.gaps += 1
        self.log.remark(time, f"gap: {frame['gap']}; position {frame['position']}")
        self._promised = owed or self._promised
        for group in self._promised:
            self.log.track(group).mark(BreakKind.GAP, time, time)
        self._move(frame, time)

    def _reconnect(self, frame: dict[str, Any], time: float) -> None:
        after = frame["reconnect"].get("after_ms")
        if not isinstance(after, int) or after < 0:
            self.log.fault(time, f"reconnect {frame}")
            return
        self.reconnect_after = after / 1000
        self.log.remark(time, f"to come back after {after} ms")

    def _move(self, frame: dict[str, Any], time: float) -> None:
        position = frame["position"]
        if not isinstance(position, str) or not position:
            self.log.fault(time, f"position {position!r}")
            return
        self.position, self._position_time = position, time
