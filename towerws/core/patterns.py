"""Patterns of group names, as tokens and backends spell what a user may hear: ``jobs-*``."""

import re
from collections import defaultdict
from collections.abc import Iterable

from towerws.core.groups import MAX_NAME_LENGTH

_PATTERN = re.compile(rf"[A-Za-z0-9_.*-]{{1,{MAX_NAME_LENGTH}}}")

#: Patterns of one user. A token that has more does not fit into a handshake either.
MAX_PATTERNS = 10_000

#: Pieces behind stars in the patterns of one user, which cannot be looked up: a thousand groups
#: against thousands of them would take seconds.
MAX_SCANNED = 100


class PatternError(ValueError):
    """Something that is no pattern; its text is one sentence without what was given."""


class Patterns:
    """A set of group names, some of them given as patterns.

    ``*`` stands for any number of characters, none included; nothing else is special. What stands
    before the first star is looked up, so that thousands of patterns cost little more than one.
    """

    __slots__ = ("_lengths", "_names", "_wildcards")

    def __init__(self, patterns: Iterable[object]) -> None:
        """Build a set.

        Args:
            patterns: Such as ``jobs-*`` and ``job_events-42``; an empty set has no name in it.

        Raises:
            PatternError: One is no text, has a character that no group name has, or is too long;
                or there are more than `MAX_PATTERNS`, or `MAX_SCANNED`.
        """
        names, wildcards, scanned = set(), defaultdict(set), 0
        for count, pattern in enumerate(patterns):
            if count == MAX_PATTERNS:
                raise PatternError(f"there are more than {MAX_PATTERNS} patterns of groups")
            if not isinstance(pattern, str) or _PATTERN.fullmatch(pattern) is None:
                raise PatternError(
                    "a group is neither a name such as job_events-42 nor a pattern such as jobs-*"
                )
            # Two stars in a row mean what one does.
            first, *others = re.sub(r"\*+", "*", pattern).split("*")
            if others:
                wildcards[first].add(tuple(others))
                scanned += sum(map(bool, others))
            else:
                names.add(pattern)
        if scanned > MAX_SCANNED:
            raise PatternError(
                f"the patterns of groups have more than {MAX_SCANNED} pieces behind stars"
            )
        self._names = frozenset(names)
        self._wildcards = {first: frozenset(others) for first, others in wildcards.items()}
        self._lengths = frozenset(len(first) for first in wildcards)

    def __contains__(self, name: str) -> bool:
        """Tell whether a group name is in the set."""
        return name in self._names or any(
            _ends_with(name, length, others)
            for length in self._lengths
            for others in self._wildcards.get(name[:length], ())
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether two sets were given the same patterns."""
        if not isinstance(other, Patterns):
            return NotImplemented
        return (self._names, self._wildcards) == (other._names, other._wildcards)

    def __hash__(self) -> int:
        """Hash the patterns."""
        return hash((self._names, frozenset(self._wildcards.items())))


def _ends_with(name: str, position: int, pieces: tuple[str, ...]) -> bool:
    """Tell whether a name goes on from a position with these, anything before each of them."""
    # Not a regular expression: some patterns would take exponential time, and anybody's token may
    # bring them. Each piece is taken where it first fits, which is right for stars alone.
    *middle, last = pieces
    end = len(name) - len(last)
    if end < position or not name.endswith(last):
        return False
    for piece in middle:
        found = name.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True
