"""Who is connected, by user: for the limit of each, and for taking access away."""

from typing import Generic, TypeVar

C = TypeVar("C")


class Roster(Generic[C]):
    """The connections of each user, from the moment that their authentication succeeds.

    Users go by the text of their id: what a backend calls 7 and a token "7" is one user.
    """

    def __init__(self, limit: int) -> None:
        """Begin with nobody.

        Args:
            limit: Connections of one user at a time; 0 for no limit.
        """
        self._limit = limit
        # Lists, because nearly all have one element and a set takes 200 bytes.
        self._connections: dict[str, list[C]] = {}

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

    def connections_of(self, user: str) -> tuple[C, ...]:
        """Give the connections of a user.

        Args:
            user: Who.
        """
        return tuple(self._connections.get(user, ()))
