"""`towerws.feeds.archive`: who may read the stream, and for how long."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, FakeConnect
from tests.feeds.streams import GROUP, make_stream_hub, mark_at, messages
from tests.metrics import read_sample
from towerws.amqp.hosts import Hosts
from towerws.core.archive import Archived
from towerws.core.event import Event
from towerws.core.metrics import Metrics
from towerws.feeds.archive import ArchiveSettings, StreamArchive, StreamReading

_WITHIN = 10.0


class ArchiveTests(SynchronousTestCase):
    """An archive with two places and a line of two."""

    def setUp(self) -> None:
        """Prepare it, with a history that begins behind 10."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.connect = FakeConnect()
        hub = make_stream_hub(self.metrics, most_events=1)
        hub.publish([Event(GROUP, b"{}", 10), Event(GROUP, b"{}", 11)])
        self.history = hub.history
        self.archive = self.make_archive(waiting=2)
        self.answers: list[tuple[int, Archived | None]] = []

    def make_archive(self, waiting: int) -> StreamArchive:
        """Make an archive with a line of a certain length."""
        return StreamArchive(
            "events.stream",
            self.history,
            ArchiveSettings(max_replays=2, replay_bytes=400, within=_WITHIN, waiting=waiting),
            self.metrics,
            self.clock,
            connect=lambda host, **options: self.connect(None, host, **options),
            hosts=Hosts((("one", 5672),)),
        )

    def ask(self, number: int) -> StreamReading:
        """Ask for what is behind 3; the answer is noted with the number."""
        reading = self.archive.read(
            mark_at(3), frozenset([GROUP]), lambda found: self.answers.append((number, found))
        )
        self.clock.advance(0)
        return reading

    def answer(self, attempt: int, *offsets: int) -> FakeClient:
        """Let a connection come about, and bring something."""
        client = FakeClient(self.clock)
        self.connect.attempts[attempt].outcome.callback(client)
        self.connect.attempts[attempt].deliver(*messages(*offsets))
        return client

    def counted(self, result: str) -> float:
        """Count the readings that came to this."""
        name = f'towerws_archive_readings_total{{result="{result}"}}'
        return read_sample(self.metrics, name)

    def places(self) -> tuple[float, float]:
        """Count those that read and those that wait."""
        return (
            read_sample(self.metrics, "towerws_archive_readings"),
            read_sample(self.metrics, "towerws_archive_waiting"),
        )

    def test_found(self) -> None:
        """The events come once, and the place is kept until the reading is closed."""
        reading = self.ask(1)
        self.answer(0, 3, 4, 10)
        ((_, found),) = self.answers
        assert found is not None
        self.assertEqual(found.upto, 10)
        self.assertEqual([event.offset for event in found.events], [4, 10])
        self.assertEqual(self.places(), (1, 0))
        reading.close()
        reading.close()
        self.assertEqual(self.places(), (0, 0))
        self.assertEqual((self.counted("found"), self.counted("closed")), (1, 0))
        self.clock.advance(_WITHIN)
        self.assertEqual(len(self.answers), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_answer_before_the_return(self) -> None:
        """Nothing is done before the question has returned."""
        self.archive.read(mark_at(3), frozenset([GROUP]), lambda _: None)
        self.assertEqual(self.connect.attempts, [])
        self.clock.advance(0)
        self.assertEqual(len(self.connect.attempts), 1)

    def test_not_found(self) -> None:
        """What cannot be told is None, and counted by why."""
        self.ask(1)
        self.answer(0, 4)
        self.ask(2)
        self.answer(1, 3, 4, 5, 6)
        self.assertEqual(self.answers, [(1, None), (2, None)])
        self.assertEqual((self.counted("not_found"), self.counted("too_much")), (1, 1))

    def test_line(self) -> None:
        """Two read, two wait in the order of their coming, and more are turned away at once."""
        readings = [self.ask(number) for number in range(4)]
        self.assertEqual((self.places(), len(self.connect.attempts)), ((2, 2), 2))
        self.ask(4).close()
        self.assertEqual(self.answers, [(4, None)])
        self.assertEqual(self.counted("turned_away"), 1)
        self.answer(0, 3, 10)
        self.assertEqual(self.places(), (2, 2))
        readings[0].close()
        self.clock.advance(0)
        self.assertEqual((self.places(), len(self.connect.attempts)), ((2, 1), 3))
        self.answer(2, 3, 10)
        self.assertEqual([number for number, _ in self.answers], [4, 0, 2])

    def test_no_line(self) -> None:
        """Without a line there are the places."""
        self.archive = self.make_archive(waiting=0)
        for number in range(3):
            self.ask(number)
        self.assertEqual(self.places(), (2, 0))
        self.assertEqual(self.answers, [(2, None)])

    def test_leaves_the_line(self) -> None:
        """Who does not want it any more is not read for, waiting or reading."""
        readings = [self.ask(number) for number in range(4)]
        readings[2].close()
        self.assertEqual(self.places(), (2, 1))
        client = self.answer(0, 3, 4)
        self.assertEqual(client.closings, [])
        readings[0].close()
        self.assertEqual(len(client.closings), 1)
        self.clock.advance(0)
        self.assertEqual((self.places(), len(self.connect.attempts)), ((2, 0), 3))
        self.assertEqual(self.counted("closed"), 2)
        self.answer(2, 3, 10)
        self.assertEqual([number for number, _ in self.answers], [3])

    def test_too_long(self) -> None:
        """Reading is bounded, and waiting is, each by itself."""
        readings = [self.ask(number) for number in range(3)]
        self.clock.advance(_WITHIN - 1)
        readings[0].close()
        self.clock.advance(1)
        # The one that waited reads now, and has its time from when it began.
        self.assertEqual(self.answers, [(1, None)])
        self.clock.advance(_WITHIN - 2)
        self.assertEqual(len(self.answers), 1)
        self.clock.advance(1)
        self.assertEqual(self.answers, [(1, None), (2, None)])
        self.assertEqual(self.counted("too_long"), 2)
        for reading in readings:
            reading.close()
        self.assertEqual(self.places(), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_long_in_the_line(self) -> None:
        """A place that never becomes free."""
        readings = [self.ask(number) for number in range(2)]
        self.answer(0, 3, 10)
        self.answer(1, 3, 10)
        waiting = self.ask(2)
        self.clock.advance(_WITHIN)
        self.assertEqual(self.answers[2:], [(2, None)])
        self.assertEqual(self.places(), (2, 0))
        for reading in (*readings, waiting):
            reading.close()
        self.assertEqual(len(self.connect.attempts), 2)

    def test_closed_by_the_answer(self) -> None:
        """An answer may close the reading that it is of, and ask again."""
        readings: list[StreamReading] = []

        def again(found: Archived | None) -> None:
            self.answers.append((1, found))
            readings.pop().close()
            self.ask(2)

        readings.append(self.archive.read(mark_at(3), frozenset([GROUP]), again))
        self.clock.advance(0)
        self.answer(0, 3, 10)
        self.answer(1, 3, 10)
        self.assertEqual([number for number, _ in self.answers], [1, 2])
        self.assertEqual(self.places(), (1, 0))

    def test_fault(self) -> None:
        """A fault of ours is logged, and the client is answered."""
        self.ask(1)
        self.connect.attempts[0].outcome.errback(ZeroDivisionError())
        self.assertEqual(self.answers, [(1, None)])
        self.assertEqual(self.counted("fault"), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
