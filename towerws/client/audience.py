"""Who is told what was heard, and how far they have been told, across connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from towerws.client.happenings import Dropped, Event, Gap, Happening, Joined, Objection


class Audience(Protocol):
    """Who is told what was heard."""

    def joined(self, groups: Sequence[str]) -> None:
        """The subscription is in force: events published from now on arrive.

        Called again after each interruption, and when access to a group has ended.

        Args:
            groups: Names of the groups as the server lists them.
        """

    def event(self, event: Event) -> None:
        """An event arrived; each comes once, in the order of publication.

        Args:
            event: The event.
        """

    def gap(self, why: str) -> None:
        """Events before those that come next may be missing: fetch the state anew.

        Args:
            why: One sentence; it may repeat text of the server, control characters included.
        """

    def notice(self, sentence: str) -> None:
        """Something else happened that a user should know.

        Args:
            sentence: One line; it may repeat text of the server, control characters included.
        """


@dataclass(slots=True)
class Bookmark:
    """How far an audience has been told.

    Attributes:
        position: Where to go on after an interruption; None if the server told no position.
        joined: Whether a subscription was in force at any time, so that what comes later counts as
            missing if it is not told.
    """

    position: str | None = None
    joined: bool = False

    def tell(self, happening: Happening, audience: Audience) -> None:
        """Tell an audience, and move on once that is done.

        Args:
            happening: What was heard.
            audience: Who is told of it, if it concerns them.

        Raises:
            Exception: What the audience raised. The happening counts as not told then.
        """
        match happening:
            case Event():
                audience.event(happening)
            case Joined(groups=groups, missed=missed):
                audience.joined(groups)
                self.joined = True
                if missed is not None:
                    audience.gap(missed)
            case Gap(why=why):
                audience.gap(why)
            case Objection(sentence=sentence):
                audience.notice(f"the server says: {sentence}")
            case Dropped(sentence=sentence):
                audience.notice(sentence)
        self.position = happening.position
