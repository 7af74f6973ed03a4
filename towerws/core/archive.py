"""What is behind the history: the seam to whatever keeps events longer than memory does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from towerws.core.event import Event
from towerws.core.positions import Mark


@dataclass(frozen=True, slots=True)
class Archived:
    """What was found in an archive.

    Attributes:
        events: All events of the groups that were asked for, behind the mark and up to ``upto``, in
            order.
        upto: The offset up to which nothing is missing; what comes behind it is in the history, or
            will be once the history has come so far.
    """

    events: list[Event]
    upto: int


class Reading(Protocol):
    """A place in the archive: one of few, so it is to be given back."""

    def close(self) -> None:
        """Give the place back: what was read is sent, or not wanted any more. Idempotent."""


class Archive(Protocol):
    """Keeps events longer than memory does."""

    def read(
        self, mark: Mark, groups: frozenset[str], answer: Callable[[Archived | None], None]
    ) -> Reading:
        """Read what groups had behind a mark, up to where the history goes on.

        Args:
            mark: From where.
            groups: The names of the groups.
            answer: Called once, never before this has returned and not once the reading is closed;
                with None if it cannot be told without a gap: it is not there any more, is not of
                this log, or is too much or takes too long.

        Returns:
            To be closed.
        """
