"""The servers that are measured beside each other, each in a module of its own.

What they have in common is here: a server is started and stopped, subscribers speak its dialect of
websocket, and events are given to it in the way that its users publish. This module is imported in
the rivals' own virtual environment as well and needs nothing but the standard library.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

#: The works that all can do; the others are about compression.
WORKS: Collection[str] = ("paced", "bursts", "spread")


class Unavailable(Exception):
    """A rival cannot be measured here; the text is the reason, for the table."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a subscriber sends, and the answer that it waits for.

    Attributes:
        send: The bytes.
        until: Part of the payload of the websocket frame that answers it. Empty for the opening
            handshake, which HTTP answers.
    """

    send: bytes
    until: bytes


@dataclass(frozen=True, slots=True)
class Publication:
    """An event on its way to a group.

    Attributes:
        group: The group's number.
        payload: The event, a JSON object.
    """

    group: int
    payload: bytes


class Publisher(Protocol):
    """Whoever gives events to the server."""

    def publish(self, batch: Sequence[Publication]) -> None:
        """Publish events back to back, in one write where the way in allows it."""

    def close(self) -> None:
        """End. Raises RuntimeError if the server has refused something."""


class Rival(Protocol):
    """A server to measure.

    Attributes:
        name: For the table.
        key: For the command line and the results.
        way_in: How the events reach the server, and how the parts of a burst do.
        port: Of the websocket.
        pace: Events for 1,000 subscribers that are published per second; what it can sustain.
        idle_connections: How many are opened to measure memory.
        broker_counts: Whether the broker's CPU counts as the server's: it does the fan-out.
        works: Keys of the works (`benchmarks.cells`) that it takes part in.
    """

    name: str
    key: str
    way_in: str
    port: int
    pace: int
    idle_connections: int
    broker_counts: bool
    works: Collection[str]

    def start(self) -> None:
        """Start everything. Raises Unavailable if that cannot be."""

    def stop(self) -> None:
        """Stop all that was started. Idempotent."""

    @property
    def version(self) -> str:
        """What was started, in which version."""

    @property
    def server(self) -> Sequence[int]:
        """Process ids of the server; what these started counts as well."""

    @property
    def broker(self) -> Sequence[int]:
        """Process ids of the broker, if it has one apart."""

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Say what a subscriber of a group does.

        Args:
            group: The group's number.
            compressed: Negotiate permessage-deflate.
        """

    def publisher(self) -> Publisher:
        """Connect a publisher."""
