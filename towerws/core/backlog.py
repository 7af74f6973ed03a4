"""What a client that comes back has yet to be sent, taken a page at a time."""

from collections.abc import Collection

from towerws.core.event import Event
from towerws.core.event_log import EVENT_BYTES
from towerws.core.history import History


class Backlog:
    """What was archived, if anything, and then what the history has behind that.

    What is in the history is not kept here, so the history may forget it: `is_whole` tells.
    """

    __slots__ = ("_archived", "_cursor", "_history")

    def __init__(self, history: History, upto: int, archived: list[Event]) -> None:
        """Begin.

        Args:
            history: Has what comes behind.
            upto: The offset behind which it does.
            archived: The events before that; it is emptied as they are taken.
        """
        self._history = history
        self._cursor = upto
        self._archived = archived

    @property
    def has_archived(self) -> bool:
        """Whether something is left of what was archived."""
        return bool(self._archived)

    @property
    def is_reached(self) -> bool:
        """Whether the history has come to where it is to go on."""
        return self._history.last >= self._cursor

    def is_whole(self, groups: Collection[str]) -> bool:
        """Tell whether what comes behind the archived events is in the history, or will be.

        Args:
            groups: The names of the groups that it is about.
        """
        return self._history.covers(self._cursor, groups)

    def is_empty(self, groups: Collection[str]) -> bool:
        """Tell whether nothing is left, and nothing was forgotten.

        Args:
            groups: The names of the groups that it is about.
        """
        if self._archived or not self.is_whole(groups):
            return False
        return not self._history.count(self._cursor, groups)

    def keep(self, groups: Collection[str]) -> int:
        """Keep what was archived of groups only, and count what is left.

        Args:
            groups: Their names.

        Returns:
            The number of their events, those in the history included.
        """
        self._archived = [event for event in self._archived if event.group in groups]
        return len(self._archived) + self._history.count(self._cursor, groups)

    def take(self, groups: Collection[str], most_bytes: int) -> list[Event]:
        """Take the next events.

        Args:
            groups: The names of the groups whose events are wanted.
            most_bytes: Where to end: with the event that reaches it, `EVENT_BYTES` for each
                included.

        Returns:
            The events; none if none are left, or if it `is_whole` no more.
        """
        while self._archived:
            page = self._take_archived(most_bytes)
            if page := [event for event in page if event.group in groups]:
                return page
        # A part must not look whole.
        if not self.is_whole(groups):
            return []
        page = self._history.read(self._cursor, groups, most_bytes)
        if page:
            self._cursor = page[-1].offset
        return page

    def _take_archived(self, most_bytes: int) -> list[Event]:
        page: list[Event] = []
        size = 0
        while size < most_bytes and len(page) < len(self._archived):
            page.append(self._archived[len(page)])
            size += len(page[-1].payload) + EVENT_BYTES
        del self._archived[: len(page)]
        return page
