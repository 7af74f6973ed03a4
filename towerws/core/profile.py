"""How the server speaks to one client: the seam between sessions and profiles of the protocol."""

from collections.abc import Callable
from typing import Protocol

from towerws.core import wire
from towerws.core.hub import Connection
from towerws.core.wire import CloseCode, Request


class Client(Connection, Protocol):
    """What a session sees of its client."""

    def send(self, payload: bytes) -> None:
        """Send a text frame behind everything that was sent before it."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the connection; what the client has not taken so far may be lost."""

    def close_soon(self, code: CloseCode, reason: str) -> None:
        """Close within some seconds, at a random time, lest all clients come back at once."""


class Told:
    """What a client was told that it is in, and is to be told next.

    Attributes:
        groups: The groups that it was told that it is in.
        groups_of: Gives the groups that it is in.
    """

    __slots__ = ("groups", "groups_of")

    def __init__(self, groups_of: Callable[[], frozenset[str]]) -> None:
        """Begin with nothing told.

        Args:
            groups_of: Gives the groups that the client is in.
        """
        self.groups_of = groups_of
        self.groups: frozenset[str] = frozenset()

    def update(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Take note that the client is told now.

        Returns:
            All groups that it is in, those that it has left since it was told last, and those that
            it has joined.
        """
        before, current = self.groups, self.groups_of()
        self.groups = current
        return current, before - current, current - before


class Profile(Protocol):
    """Speaks to one client, in one profile of the protocol."""

    def greet(self, user: int | str | None) -> None:
        """Say that the client is accepted."""

    def since(self, request: Request) -> str | None:
        """Read from where the client wants events to be replayed, None for no replay.

        Raises:
            FrameError: It is not understood.
        """

    def asked(self, since: str | None) -> None:
        """Take note that a subscription is about to be put into force.

        Args:
            since: From where to replay.
        """

    def in_force(self, done: Callable[[], None]) -> None:
        """Answer a subscription that is in force, and replay what was asked for.

        Args:
            done: Called, perhaps at once, when the next message may be looked at.
        """

    def gap(self, why: str) -> None:
        """Say that events may have been missed."""

    def announce(self, after_ms: int) -> None:
        """Say that the connection is about to be closed, and when to come back."""

    def drained(self) -> None:
        """Go on: what was sent has left."""

    def end(self) -> None:
        """Stop: the client is gone."""


class AWXProfile:
    """Profile "awx": events as they were published, no positions."""

    __slots__ = ("_client", "_closes_on_gap", "_told")

    def __init__(self, client: Client, told: Told, *, closes_on_gap: bool) -> None:
        """Prepare.

        Args:
            client: Takes the frames.
            told: What it was told.
            closes_on_gap: Whether the client is closed when events may have been missed.
        """
        self._client = client
        self._closes_on_gap = closes_on_gap
        self._told = told

    def greet(self, user: int | str | None) -> None:
        """See `Profile`."""
        self._client.send(wire.accept(user))

    def since(self, request: Request) -> str | None:
        """See `Profile`; this one knows no positions."""
        return None

    def asked(self, since: str | None) -> None:
        """See `Profile`; nothing is to be prepared."""

    def in_force(self, done: Callable[[], None]) -> None:
        """See `Profile`."""
        self._client.send(wire.subscribed(*self._told.update()))
        done()

    def gap(self, why: str) -> None:
        """Close, for there is no frame to say so: the client comes back and fetches anew.

        One that was never told that a subscription is in force missed nothing.
        """
        if self._closes_on_gap and self._told.groups:
            self._client.close_soon(CloseCode.SERVICE_RESTART, "events may have been missed")

    def announce(self, after_ms: int) -> None:
        """Say nothing: there is no frame for it."""

    def drained(self) -> None:
        """See `Profile`; nothing waits here."""

    def end(self) -> None:
        """See `Profile`; nothing is to be stopped."""
