"""Who listens to what: an index both ways.

From a group to its connections for the fan-out, which must not search; from a connection to its
groups so that leaving costs what the connection had, not what the server has.
"""

from collections.abc import Collection, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C")

_NOBODY: frozenset[object] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """What a new set of groups changed.

    Attributes:
        current: All groups of the connection from now on.
        left: Groups that the connection was in and is no more.
        joined: Groups that the connection was not in before.
        started: Those of ``joined`` that had no listener before.
        ended: Those of ``left`` that have no listener any more.
    """

    current: frozenset[str]
    left: frozenset[str]
    joined: frozenset[str]
    started: frozenset[str]
    ended: frozenset[str]


class Subscriptions(Generic[C]):
    """The groups of every connection and the connections of every group."""

    def __init__(self) -> None:
        self._members: dict[str, set[C]] = {}
        self._groups: dict[C, frozenset[str]] = {}

    def replace(self, connection: C, names: Collection[str]) -> Change:
        """Give a connection a new set of groups in place of its old one.

        Args:
            connection: Whoever listens.
            names: The names of all groups that it is in from now on; none at all forgets it.

        Returns:
            What changed by that.
        """
        previous = self.groups_of(connection)
        current = frozenset(names)
        left, joined = previous - current, current - previous
        ended = frozenset(name for name in left if self._leave(connection, name))
        started = frozenset(name for name in joined if self._join(connection, name))
        if current:
            self._groups[connection] = current
        else:
            self._groups.pop(connection, None)
        return Change(current, left, joined, started, ended)

    def members(self, name: str) -> Set[C]:
        """Give the connections that listen to a group.

        Args:
            name: The group's name.

        Returns:
            The connections; a live set, not to be changed or kept by the caller.
        """
        return self._members.get(name, _NOBODY)  # type: ignore[arg-type]  # empty, so of any type

    def groups_of(self, connection: C) -> frozenset[str]:
        """Give the names of a connection's groups.

        Args:
            connection: Whoever listens; one that is in no group is fine as well.
        """
        return self._groups.get(connection, frozenset())

    @property
    def heard(self) -> Set[str]:
        """The groups with at least one listener; a live view."""
        return self._members.keys()

    @property
    def connections(self) -> Collection[C]:
        """The connections that are in at least one group."""
        return self._groups.keys()

    def _join(self, connection: C, name: str) -> bool:
        members = self._members.setdefault(name, set())
        members.add(connection)
        return len(members) == 1

    def _leave(self, connection: C, name: str) -> bool:
        members = self._members[name]
        members.discard(connection)
        if members:
            return False
        del self._members[name]
        return True
