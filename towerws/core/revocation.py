"""A revocation: who may hear less from now on, and how that is told to every node.

It goes through the same exchange as events, under a routing key that no group can have, so that it
reaches whatever they reach. What it does to a client is the session's matter; see
`towerws.core.session`.
"""

import json
from dataclasses import dataclass
from typing import Self

from towerws.core.patterns import Patterns

#: The routing key. Names that begin with ``$`` belong to the server: no client can subscribe to
#: them, and neither ``POST /emit`` nor `towerws.notify` publishes to them.
ROUTING_KEY = "$revoke"

#: Longest id of a user, in characters. OpenID Connect gives a subject 255, Django a name 150.
MAX_USER_LENGTH = 1000

#: Largest revocation, in bytes: escaped as JSON, the longest id and pattern have less.
MAX_REVOCATION = 1 << 14


class RevocationError(ValueError):
    """Something that is no revocation; its text is one sentence without what was given."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Who may hear less.

    Attributes:
        user: The user's id as text.
        groups: What they may not hear any more: one group's name, or a pattern such as ``jobs-*``;
            None to close their connections altogether.
    """

    user: str
    groups: str | None = None

    def __post_init__(self) -> None:
        """Check both.

        Raises:
            RevocationError: The id is empty or too long.
            PatternError: The groups are no name and no pattern. A ValueError as well.
        """
        if not 1 <= len(self.user) <= MAX_USER_LENGTH:
            raise RevocationError(f"the user's id does not have 1 to {MAX_USER_LENGTH} characters")
        if self.groups is not None:
            Patterns([self.groups])

    @property
    def patterns(self) -> Patterns | None:
        """The groups as a set of names; None where all is revoked."""
        return None if self.groups is None else Patterns([self.groups])

    def encode(self) -> bytes:
        """Write it as ``{"user": "7", "group": "job_events-42"}``.

        Returns:
            JSON in ASCII; without ``group`` where all is revoked.
        """
        group = {} if self.groups is None else {"group": self.groups}
        return json.dumps({"user": self.user, **group}).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` writes; the id may be an integer as well.

        Args:
            data: JSON in UTF-8.

        Returns:
            The revocation.

        Raises:
            ValueError: It is none; the text is one sentence that repeats nothing of it.
        """
        if len(data) > MAX_REVOCATION:
            raise RevocationError(f"the revocation is larger than {MAX_REVOCATION} bytes")
        try:
            # Decoded here and not by json.loads, which would guess UTF-16 and UTF-32 as well.
            fields = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise RevocationError("the revocation is not JSON in UTF-8") from None
        # A key that nobody knows may be a misspelt "group", without which all is revoked.
        if not isinstance(fields, dict) or "user" not in fields or fields.keys() - _KEYS:
            raise RevocationError('a revocation is an object with "user" and perhaps "group"')
        if "group" in fields and fields["group"] is None:
            # Such as comes of a variable that was not set: it must not revoke everything.
            raise RevocationError("the group is null: leave it out to revoke everything")
        return cls(_as_text(fields["user"]), fields.get("group"))


_KEYS = {"user", "group"}


def _as_text(user: object) -> str:
    # bool is an int to Python.
    if isinstance(user, bool) or not isinstance(user, (str, int)):
        raise RevocationError("the user's id is neither a string nor an integer")
    return str(user)
