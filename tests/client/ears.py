"""An audience that remembers what it was told."""

import json
from collections.abc import Sequence

from towerws.client import Event


class Ears:
    """Remembers what it is told.

    Attributes:
        groups: The groups that it was told to hear, each time.
        heard: The events.
        gaps: Why events may be missing.
        notices: What else happened.
        told: All of it by kind, in order.
        fault: What it raises instead of hearing an event or of a gap.
    """

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.heard: list[Event] = []
        self.gaps: list[str] = []
        self.notices: list[str] = []
        self.told: list[str] = []
        self.fault: Exception | None = None

    @property
    def events(self) -> list[bytes]:
        """The payloads of the events."""
        return [event.payload for event in self.heard]

    def joined(self, groups: Sequence[str]) -> None:
        """Remember the groups."""
        self.told.append("joined")
        self.groups.append(list(groups))

    def event(self, event: Event) -> None:
        """Remember the event, or fail."""
        if self.fault is not None:
            raise self.fault
        assert json.loads(event.payload) == event.value
        self.told.append("event")
        self.heard.append(event)

    def gap(self, why: str) -> None:
        """Remember why, or fail."""
        if self.fault is not None:
            raise self.fault
        self.told.append("gap")
        self.gaps.append(why)

    def notice(self, sentence: str) -> None:
        """Remember the sentence."""
        self.told.append("notice")
        self.notices.append(sentence)
