"""`towerws.core.resuming`: from what is behind the history."""

from tests.core.archive_case import ArchiveTestCase
from tests.hubs import PROCESS
from towerws.core.archive import Archived
from towerws.core.event import Event
from towerws.core.patterns import Patterns
from towerws.core.resuming import CATCH_UP_WITHIN, TAKE_WITHIN


class ArchiveTests(ArchiveTestCase):
    """From what is behind the history."""

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

    def test_withdrawn_while_the_history_is_behind(self) -> None:
        """Nor what was taken away between the archive's answer and the client's."""
        client = self.v1({"a": [1], "b": [1]}, self.position(5))
        self.archive.answers[0](Archived(self.events[6:22], 21))
        assert client.session is not None
        client.session.revoke(Patterns(["a-1"]))
        client.take_frames()
        self.hub.publish(self.events[20:22])
        self.clock.advance(1)
        (answer,) = client.frames
        assert isinstance(answer, dict)
        self.assertEqual((answer["resumed"], answer["replayed"]), (True, 0))
        self.assertEqual(self.archive.closed, 1)

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
