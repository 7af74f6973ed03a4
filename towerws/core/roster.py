"""Who is connected, by user: for the limit of each, and for taking access away."""

from collections import OrderedDict
from typing import Generic, TypeVar

#: Users of whom it is remembered that access was revoked. An authentication under way takes a few
#: seconds at most; this many revocations meanwhile, and it begins anew though it need not. Schemes
#: ask once more about a user who was there before that many.
MAX_REVOCATIONS = 1000

C = TypeVar("C")


class Roster(Generic[C]):
    """The connections of each user, from the moment that their authentication succeeds.

    Users go by the text of their id: what a backend calls 7 and a token "7" is one user.

    Attributes:
        revocations: How many there were so far.
    """

    def __init__(self, limit: int) -> None:
        """Begin with nobody.

        Args:
            limit: Connections of one user at a time; 0 for no limit.
        """
        self.revocations = 0
        self._limit = limit
        # Lists, because nearly all have one element and a set takes 200 bytes.
        self._connections: dict[str, list[C]] = {}
        # The number of the last revocation of each user, the oldest first, and that of the last one
        # that is not among them any more.
        self._revoked: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0

    def enter(self, user: str, connection: C) -> bool:
        """Take in a connection.

        Args:
            user: Whose it is.
            connection: One that is not in yet.

        Returns:
            False if the user may have no more, and it was not taken in.
        """
        connections = self._connections.setdefault(user, [])
        if self._limit and len(connections) >= self._limit:
            return False
        connections.append(connection)
        return True

    def leave(self, user: str, connection: C) -> None:
        """Let go of a connection.

        Args:
            user: Whose it is.
            connection: One that was taken in.
        """
        connections = self._connections[user]
        connections.remove(connection)
        if not connections:
            del self._connections[user]

    def revoke(self, user: str) -> tuple[C, ...]:
        """Take note that a user may hear less from now on.

        Args:
            user: Who.

        Returns:
            The user's connections.
        """
        self.revocations += 1
        self._revoked[user] = self.revocations
        self._revoked.move_to_end(user)
        if len(self._revoked) > MAX_REVOCATIONS:
            _, self._forgotten = self._revoked.popitem(last=False)
        return tuple(self._connections.get(user, ()))

    def is_outdated(self, user: str, revocations: int) -> bool:
        """Tell whether what was found out about a user may be from before a revocation.

        Args:
            user: Who.
            revocations: How many revocations there had been when it was asked.
        """
        return self._revoked.get(user, self._forgotten) > revocations
