"""A user of whom everything is known from the start."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from time import time

from zope.interface import implementer

from towerws.auth.interfaces import IUser
from towerws.core.groups import Group
from towerws.core.patterns import Patterns

#: For a user who may hear everything.
EVERYTHING = Patterns(["*"])


@implementer(IUser)
@dataclass(frozen=True, slots=True)
class User:
    """A user with a set of groups.

    Attributes:
        user: The id; None for an anonymous one.
        groups: What they may hear.
        csrf_token: What each frame's ``xrftoken`` must be; None to ask for nothing.
        expires: Unix time in seconds from which on this holds no more; None if it always does.
        seconds: Tells the Unix time.
    """

    user: int | str | None
    groups: Patterns = EVERYTHING
    csrf_token: str | None = field(default=None, repr=False)
    expires: float | None = None
    seconds: Callable[[], float] = time

    def denied(self, groups: Sequence[Group]) -> Collection[Group]:
        """Refuse what the patterns do not allow; see `towerws.auth.interfaces.IUser`."""
        return [group for group in groups if group.name not in self.groups]

    def renew(self) -> "User | None":
        """Hold until it expires; see `towerws.auth.interfaces.IUser`."""
        return None if self.expires is not None and self.seconds() >= self.expires else self
