"""`towerws.core.resuming`: the history forgets faster than a client, or the archive, reads."""

from tests.core.archive_case import ArchiveTestCase
from tests.fakes import FakeClient
from towerws.core.archive import Archived
from towerws.core.event import Event
from towerws.core.patterns import Patterns
from towerws.core.resuming import CATCH_UP_WITHIN, PAGE, READINGS, TAKE_WITHIN

_OVERTAKEN = "events were forgotten faster than they were read"
_TOO_MANY = "more was published meanwhile than is kept"


class _OvertakenTestCase(ArchiveTestCase):
    """A history of 3 events, which is at the offset 19."""

    def forget(self) -> None:
        """Publish more than is kept."""
        last = self.hub.history.last
        self.hub.publish(self.events[last + 1 : last + 5])

    def answer(self, first: int, upto: int) -> None:
        """Let the archive answer the last question."""
        self.archive.answers[-1](Archived(self.events[first : upto + 1], upto))

    def drain(self, client: FakeClient) -> None:
        """Let a client take what was sent."""
        assert client.session is not None
        client.has_room = True
        client.session.drained()

    def overtake(self) -> FakeClient:
        """Let a client come back from 17, which is in memory, and read nothing until it is not."""
        client = self.connect_at(17, {"a": [1, 2]})
        self.assertEqual(client.take_frames()[-1], self.answer_of(2))
        client.has_room = False
        self.forget()
        client.turn()
        self.assertEqual(self.archive.asked, [])
        self.drain(client)
        return client

    def connect_at(self, offset: int, groups: object) -> FakeClient:
        """Let a client ask to go on, and the reactor not turn."""
        client = self.v1()
        self.ask(client, groups, since=self.position(offset))
        return client

    def answer_of(self, replayed: int) -> object:
        """Write the answer to `overtake`."""
        return {
            "groups_current": ["a-1", "a-2"],
            "groups_left": [],
            "groups_joined": ["a-1", "a-2"],
            "resumed": True,
            "replayed": replayed,
            "position": self.position(19),
        }

    def assert_gap(self, client: FakeClient, why: str) -> None:
        """Check that a gap is all that came, and that the client is at the present."""
        (gap,) = client.take_frames()
        self.assertEqual(gap, {"gap": why, "position": self.hub.history.position})
        self.assertEqual((self.replays.cut_short.value, self.replays.refused.value), (1, 0))
        self.hub.publish([Event("a-1", b'{"n": 0}', self.hub.history.last + 1)])
        self.assertEqual(self.heard(client), [0])


class ReplayTests(_OvertakenTestCase):
    """A replay that is overtaken reads on from the archive."""

    def test_from_memory(self) -> None:
        """From where the client is, without a second answer; nothing is lost or doubled."""
        client = self.overtake()
        mark = self.hub.history.positions.parse(self.position(17))
        self.assertEqual(self.archive.asked, [(mark, {"a-1", "a-2"})])
        self.drain(client)
        self.clock.advance(15)
        self.assertEqual(client.take_frames(), [{"heartbeat": self.position(17)}])
        self.answer(18, 22)
        self.drain(client)
        client.turn()
        client.turn()
        self.hub.publish(self.events[24:25])
        self.assertEqual(self.heard(client), [*range(18, 25)])
        self.assertEqual(len(client.frames), 7)
        self.assertEqual((self.archive.closed, len(self.archive.asked)), (1, 1))
        self.assertEqual(self.clock.timers, [30.0])
        counters = self.replays
        self.assertEqual((counters.overtaken.value, counters.cut_short.value), (1, 0))
        self.assertEqual((counters.memory.value, counters.archive.value), (1, 0))

    def test_archived_first(self) -> None:
        """What was archived is sent, and then nothing looks whole that is not."""
        padding = b"x" * PAGE
        large = [Event("a-1", b'{"n": %d, "x": "%b"}' % (n, padding), n) for n in (6, 7)]
        client = self.come_back(5)
        self.archive.answers[0](Archived(list(large), 18))
        client.turn()
        # Of this group, nothing but 19 was behind that.
        self.hub.publish([Event("b-1", b"{}", offset) for offset in range(20, 24)])
        client.turn()
        self.assertEqual(self.heard(client), [6, 7])
        self.assertEqual((self.archive.closed, len(self.archive.asked)), (1, 1))
        client.turn()
        self.assertEqual(self.heard(client), [6, 7])
        positions = self.hub.history.positions
        mark = positions.parse(positions.format(large[1]))
        self.assertEqual(self.archive.asked[1:], [(mark, {"a-1"})])
        self.archive.answers[-1](Archived(self.events[19:20], 22))
        client.turn()
        self.assertEqual(self.heard(client), [6, 7, 19])
        self.assertEqual(self.archive.closed, 2)

    def test_nothing_more(self) -> None:
        """The archive may have nothing for it; then it is at the present."""
        client = self.overtake()
        self.archive.answers[0](Archived([], 23))
        self.assertEqual(self.archive.closed, 1)
        self.hub.publish(self.events[24:25])
        self.assertEqual(self.heard(client), [24])

    def test_withdrawn(self) -> None:
        """What is taken away meanwhile is not sent."""
        client = self.overtake()
        assert client.session is not None
        client.session.revoke(Patterns(["a-1"]))
        client.take_frames()
        other = Event("a-2", b'{"n": 19}', 19)
        self.archive.answers[0](Archived([self.events[18], other], 22))
        client.turn()
        self.assertEqual(self.heard(client), [19])

    def test_too_slow(self) -> None:
        """Places are few: who does not take in time what was read for it is cut, as at first."""
        client = self.overtake()
        client.has_room = False
        self.answer(18, 22)
        self.clock.advance(TAKE_WITHIN - 1)
        self.assertEqual(client.closes, [])
        self.clock.advance(1)
        self.assertEqual(client.closes, [(1013, "reading too slowly")])

    def test_never_at_the_present(self) -> None:
        """Who is overtaken again and again is told in the end."""
        client = self.overtake()
        for reading in range(1, READINGS + 1):
            self.assertEqual(len(self.archive.asked), reading)
            self.hub.publish([Event("a-1", b"{}", self.hub.history.last + 1)])
            last = self.hub.history.last
            self.archive.answers[-1](Archived([], last - 1))
            self.hub.publish([Event("a-1", b"{}", last + n) for n in range(1, 5)])
            client.turn()
        self.assertEqual(len(self.archive.asked), READINGS)
        self.assertEqual(self.archive.closed, READINGS)
        self.assert_gap(client, _OVERTAKEN)


class GapTests(_OvertakenTestCase):
    """Where the archive cannot help, the client is told."""

    def test_not_there(self) -> None:
        """The archive does not have it."""
        client = self.overtake()
        self.archive.answers[0](None)
        self.assertEqual(self.archive.closed, 1)
        self.assert_gap(client, _OVERTAKEN)

    def test_no_archive(self) -> None:
        """There is none."""
        self.hub.attach(self.source)
        client = self.overtake()
        self.assert_gap(client, _OVERTAKEN)

    def test_gap_meanwhile(self) -> None:
        """What the archive would tell is from before that."""
        client = self.overtake()
        self.hub.gap("the broker was away")
        self.assertEqual(self.archive.closed, 1)
        self.assert_gap(client, "the broker was away")

    def test_never_that_far(self) -> None:
        """This node does not come to where the archive was."""
        client = self.overtake()
        self.archive.answers[0](Archived([], 29))
        for _ in range(int(CATCH_UP_WITHIN) * 10 + 1):
            self.clock.advance(0.1)
        self.assertEqual(self.archive.closed, 1)
        self.assert_gap(client, "this server has not come as far as the position")

    def test_gone(self) -> None:
        """The place is given back when the client leaves."""
        self.end(self.overtake())
        self.assertEqual((self.archive.closed, self.clock.timers), (1, []))


class BeforeAnswerTests(_OvertakenTestCase):
    """The history forgets what the archive has read up to, before the client is answered."""

    def test_once(self) -> None:
        """All of it is read again; there is one answer."""
        client = self.come_back(5)
        self.forget()
        self.answer(6, 18)
        self.assertEqual(client.frames, [])
        self.assertEqual(self.archive.asked[0], self.archive.asked[1])
        self.assertEqual(self.archive.closed, 1)
        self.answer(6, 22)
        client.turn()
        client.turn()
        answer = client.frames[0]
        assert isinstance(answer, dict)
        self.assertEqual((answer["resumed"], answer["replayed"]), (True, 18))
        self.assertEqual(self.heard(client), [*range(6, 24)])
        self.assertEqual((self.archive.closed, self.replays.overtaken.value), (2, 1))

    def test_twice(self) -> None:
        """Then it cannot be resumed."""
        client = self.come_back(5)
        for upto in (18, 22):
            self.forget()
            self.answer(6, upto - 3)
        answer, gap = client.frames
        assert isinstance(answer, dict)
        assert isinstance(gap, dict)
        self.assertEqual((answer["resumed"], gap["gap"]), (False, _TOO_MANY))
        self.assertEqual((self.archive.closed, len(self.archive.asked)), (2, 2))
        self.assertEqual((self.replays.refused.value, self.replays.cut_short.value), (1, 0))
