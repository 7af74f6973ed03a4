"""What a frame of the server says to a client.

Each happening has a ``position``: where its hearer is once it has been told, None where the server
has no positions. That is what to come back with after a connection is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server knows us.

    Attributes:
        position: Where the hearer is: where it was, for nothing has been promised yet.
        heartbeat: Seconds between two heartbeats; None if there are none.
    """

    position: str | None
    heartbeat: float | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The subscription is in force.

    Attributes:
        position: Where the hearer is.
        groups: The names of the groups that are heard now.
        missed: Why events since the last connection may be missing, one sentence; None if they are
            not, or if the server is going to say so itself.
    """

    position: str | None
    groups: Sequence[str]
    missed: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event.

    Attributes:
        position: Where the event is.
        group: The name of its group; None where the server does not tell (profile "awx").
        payload: The event as it was published, byte for byte; valid JSON.
        value: The same, decoded.
    """

    position: str | None
    group: str | None
    payload: bytes
    value: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events may be missing.

    Attributes:
        position: From which on nothing is missing.
        why: What happened, one sentence.
    """

    position: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life: nothing is missing up to here.

    Attributes:
        position: Where the hearer is.
    """

    position: str | None


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The server is about to close the connection.

    Attributes:
        position: Where the hearer is.
        after: When to come back, in seconds after the connection has ended.
    """

    position: str | None
    after: float


@dataclass(frozen=True, slots=True)
class Objection:
    """The server did not do what it was asked for.

    Attributes:
        position: Where the hearer is.
        sentence: What the server says.
    """

    position: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A frame that is not understood.

    Attributes:
        position: Where the hearer is.
        sentence: What was dropped; it repeats nothing of the frame.
    """

    position: str | None
    sentence: str


Happening = Accepted | Joined | Event | Gap | Heartbeat | Reconnect | Objection | Dropped
