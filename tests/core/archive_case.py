"""Clients of profile "towerws.v1" whose server reads a stream, and an archive behind it."""

from collections.abc import Callable

from tests.core.v1_case import V1TestCase
from tests.fakes import FakeClient
from towerws.core.archive import Archived, Reading
from towerws.core.event import Event
from towerws.core.history import Bounds
from towerws.core.positions import Mark, StreamPositions


class FakeArchive:
    """An archive that answers when a test says so.

    Attributes:
        asked: For what.
        answers: What takes the answers.
        closed: How many places were given back.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Mark, frozenset[str]]] = []
        self.answers: list[Callable[[Archived | None], None]] = []
        self.closed = 0

    def read(
        self, mark: Mark, groups: frozenset[str], answer: Callable[[Archived | None], None]
    ) -> Reading:
        """Take note."""
        self.asked.append((mark, groups))
        self.answers.append(answer)
        return self

    def close(self) -> None:
        """Take note; see `towerws.core.archive.Reading`."""
        self.closed += 1


class ArchiveTestCase(V1TestCase):
    """A history of 3 events, and whatever a test lets the archive say."""

    def setUp(self) -> None:
        """Begin at the offset 10 of a stream."""
        self.archive = FakeArchive()
        super().setUp()
        self.make(StreamPositions(), bounds=Bounds(events=3))
        self.events = [Event("a-1", b'{"n": %d}' % offset, offset) for offset in range(30)]
        self.hub.publish(self.events[10:20])

    def position(self, offset: int) -> str:
        """Write a position."""
        return self.hub.history.positions.format(self.events[offset])

    def come_back(self, offset: int) -> FakeClient:
        """Let a client come back from a position."""
        client = self.v1({"a": [1]}, self.position(offset))
        self.assertEqual(client.frames, [])
        mark = self.hub.history.positions.parse(self.position(offset))
        self.assertEqual(self.archive.asked[-1], (mark, {"a-1"}))
        return client

    def heard(self, client: FakeClient) -> list[int]:
        """Give the numbers of the events that a client has got."""
        return [
            frame["event"]["n"]
            for frame in client.frames
            if isinstance(frame, dict) and "event" in frame
        ]
