"""`towerws.core.resuming`: from what is behind the history."""

from collections.abc import Callable

from tests.core.v1_case import V1TestCase
from tests.fakes import FakeClient
from tests.hubs import PROCESS
from towerws.core.archive import Archived, Reading
from towerws.core.event import Event
from towerws.core.history import Bounds
from towerws.core.patterns import Patterns
from towerws.core.positions import Mark, StreamPositions
from towerws.core.resuming import CATCH_UP_WITHIN, TAKE_WITHIN


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


class ArchiveTests(V1TestCase):
    """From what is behind the history."""

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

    def test_exact(self) -> None:
        """What was archived, what the history has, what is live: each once, in order."""
        client = self.come_back(5)
        self.hub.publish(self.events[20:21])
        self.archive.answers[0](Archived(self.events[6:18], 18))
        answer = client.frames[0]
        assert isinstance(answer, dict)
        self.assertEqual((answer["resumed"], answer["replayed"]), (True, 14))
        self.hub.publish(self.events[21:22])
        client.turn()
        client.turn()
        self.hub.publish(self.events[22:23])
        self.assertEqual(self.heard(client), [*range(6, 18), 19, 20, 21, 22])
        self.assertEqual(self.archive.closed, 1)
        self.assertEqual(self.replays.archive.value, 1)
        self.assertEqual(self.clock.timers, [15.0])

    def test_small_events(self) -> None:
        """What was archived goes out in short turns, too."""
        client = self.come_back(5)
        events = [Event("a-1", b'{"n": 6}', 6)] * 1000
        self.archive.answers[0](Archived(events, 18))
        client.turn()
        self.assertLess(len(self.heard(client)), 600)
        self.assertEqual(self.archive.closed, 0)
        client.turn()
        self.assertGreater(len(self.heard(client)), 600)

    def test_not_there(self) -> None:
        """Then there is a gap."""
        client = self.come_back(5)
        self.archive.answers[0](None)
        answer, gap = client.frames
        assert isinstance(answer, dict)
        assert isinstance(gap, dict)
        self.assertEqual((answer["resumed"], answer["replayed"]), (False, 0))
        self.assertEqual(gap["position"], self.position(19))
        self.assertEqual(self.archive.closed, 1)

    def test_forgotten_meanwhile(self) -> None:
        """The history has gone on, and what is behind the archived ones is forgotten."""
        client = self.come_back(5)
        self.hub.publish(self.events[20:26])
        self.archive.answers[0](Archived(self.events[6:18], 18))
        self.assertEqual(self.heard(client), [])
        self.assertIn("more was published meanwhile than is kept", str(client.frames[1]))

    def test_gap_meanwhile(self) -> None:
        """What the archive would tell is from before the gap, and not waited for."""
        client = self.come_back(5)
        self.hub.gap("the stream was deleted", self.events[20])
        answer, gap, _ = client.frames
        assert isinstance(answer, dict)
        assert isinstance(gap, dict)
        self.assertEqual((answer["resumed"], gap["gap"]), (False, "the stream was deleted"))
        self.assertEqual(gap["position"], self.position(20))
        self.assertEqual(self.heard(client), [20])
        self.assertEqual(self.archive.closed, 1)

    def test_ahead(self) -> None:
        """A client that was with a faster node waits until this one has come as far."""
        client = self.v1({"a": [1]}, self.position(22))
        self.clock.advance(1)
        self.hub.publish(self.events[20:22])
        self.clock.advance(1)
        self.assertEqual(client.frames, [])
        self.hub.publish(self.events[22:24])
        self.clock.advance(1)
        client.turn()
        self.hub.publish(self.events[24:25])
        self.assertEqual(self.heard(client), [23, 24])
        # Anybody can write a position that is ahead.
        self.assertEqual(self.archive.asked, [])

    def test_archive_ahead(self) -> None:
        """What was read while this node fell behind is waited for as well."""
        client = self.come_back(5)
        self.archive.answers[0](Archived(self.events[6:22], 21))
        self.clock.advance(1)
        self.assertEqual(client.frames, [])
        self.hub.publish(self.events[20:23])
        self.clock.advance(1)
        client.turn()
        client.turn()
        self.assertEqual(self.heard(client), [*range(6, 23)])

    def test_archived_nothing(self) -> None:
        """Who has nothing to take from the archive keeps no place there, however slow it is."""
        client = self.come_back(15)
        client.has_room = False
        self.archive.answers[0](Archived([], 18))
        self.assertEqual(self.archive.closed, 1)
        self.clock.advance(TAKE_WITHIN)
        self.assertEqual(client.closes, [])

    def test_withdrawn_meanwhile(self) -> None:
        """What was taken away before the answer is neither counted nor sent."""
        client = self.v1({"a": [1], "b": [1]}, self.position(5))
        assert client.session is not None
        client.session.revoke(Patterns(["a-1"]))
        client.take_frames()
        self.archive.answers[0](Archived(self.events[6:18], 18))
        (answer,) = client.frames
        assert isinstance(answer, dict)
        self.assertEqual((answer["resumed"], answer["replayed"]), (True, 0))

    def test_never_that_far(self) -> None:
        """It does not wait for ever."""
        forged = self.v1({"a": [1]}, self.position(22))
        client = self.come_back(5)
        self.archive.answers[0](Archived([], 22))
        for _ in range(int(CATCH_UP_WITHIN) * 10 + 1):
            self.clock.advance(0.1)
        for each in (forged, client):
            self.assertIn("this server has not come as far as the position", str(each.frames))
        self.assertEqual(self.archive.closed, 1)
        self.assertEqual(self.replays.refused.value, 2)

    def test_too_slow(self) -> None:
        """Places in the archive are few: who does not take what was read for it is cut."""
        client = self.come_back(5)
        client.has_room = False
        self.archive.answers[0](Archived(self.events[6:18], 18))
        self.clock.advance(TAKE_WITHIN)
        self.assertEqual(client.closes, [(1013, "reading too slowly")])

    def test_gone(self) -> None:
        """The place is given back when the client leaves, whatever it waits for."""
        for archived in (False, True):
            client = self.come_back(5)
            if archived:
                self.archive.answers[-1](Archived([], 22))
            self.end(client)
            self.assertEqual(self.archive.closed, 1 + archived)
            self.assertEqual(self.clock.timers, [])
        self.end(self.v1({"a": [1]}, self.position(22)))
        self.assertEqual(self.clock.timers, [])

    def test_other_stream(self) -> None:
        """What the history knows to be of another log is not looked for."""
        client = self.v1({"a": [1]}, self.position(19)[:-1] + "x")
        self.v1({"a": [1]}, f"{PROCESS}-1")
        self.assertEqual(self.archive.asked, [])
        self.assertIn('"resumed": false', client.messages[0].decode())
