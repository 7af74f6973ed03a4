"""`towerws.feeds.track`: what becomes of messages, and whether any is missing."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeConnection, FakeSource
from tests.feeds.streams import GROUP, make_stream_hub, message, messages
from tests.metrics import read_sample
from tests.revoking import Revoking
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import DecodeError, ProtocolViolation
from towerws.core.history import Kind
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle
from towerws.feeds.marks import ROUTING_KEY, make_mark
from towerws.feeds.track import Track


class TrackCase(SynchronousTestCase):
    """A test with a track, and a client that listens to one group."""

    def setUp(self) -> None:
        """Begin with a connection."""
        self.metrics = Metrics()
        self.hub = make_stream_hub(self.metrics)
        self.hub.attach(FakeSource(is_prompt=True))
        self.connection = FakeConnection()
        self.hub.subscribe(self.connection, [GROUP], lambda _: None)
        self.revoking = Revoking(self.metrics)
        self.track = Track(
            self.hub, self.revoking.revocations, self.metrics, Throttle(Clock().seconds)
        )
        self.begin()

    def begin(self) -> int | str:
        """Begin with another connection, and give where to read."""
        self.mark = make_mark()
        return self.track.begin(self.mark, "60s")

    def own_mark(self, offset: int) -> Delivery:
        """Give the node's own mark as a message."""
        return message(offset, self.mark, ROUTING_KEY)

    def warm(self) -> None:
        """Read the first mark and the events 1 and 2, and begin with the next connection."""
        self.track.take([self.own_mark(0), *messages(1, 2)])
        self.begin()

    @property
    def numbers(self) -> list[bytes]:
        """What the client got, without the braces."""
        return [each[6:-1] for each in self.connection.messages]

    def continued(self) -> float:
        """Count the connections that went on where the one before ended."""
        return read_sample(self.metrics, "towerws_stream_continued_total")


class WarmUpTests(TrackCase):
    """What is before the node's first mark."""

    def test_kept(self) -> None:
        """It is in the history and goes to nobody; what is behind the mark does both."""
        self.assertEqual(self.begin(), "60s")
        self.track.take([*messages(3, 4), self.own_mark(5), *messages(6)])
        self.assertEqual(self.numbers, [b"6"])
        self.assertTrue(self.track.has_caught_up)
        kept = self.hub.history.read(2, [GROUP], 1000)
        self.assertEqual([each.offset for each in kept], [3, 4, 6])
        self.track.take(messages(7))
        self.assertEqual(self.numbers, [b"6", b"7"])

    def test_in_pieces(self) -> None:
        """Marks of other nodes and of connections before end nothing."""
        self.track.take([message(1, make_mark(), ROUTING_KEY)])
        self.track.take(messages(2))
        self.assertEqual((self.numbers, self.track.has_caught_up), ([], False))
        self.track.take([self.own_mark(3)])
        self.assertEqual((self.numbers, self.track.has_caught_up), ([], True))

    def test_revocations(self) -> None:
        """Those before the mark are of the past, those behind it are carried out."""

        def revoke(user: str) -> bytes:
            return Revocation(user).encode()

        self.track.take(
            [
                message(1, revoke("1"), "$revoke"),
                self.own_mark(2),
                message(3, revoke("3"), "$revoke"),
            ]
        )
        self.track.take([message(4, revoke("4"), "$revoke")])
        self.assertEqual([each.user for each in self.revoking.asked], ["3", "4"])

    def test_positions(self) -> None:
        """A mark is a position, so that an empty stream has one as well."""
        self.assertEqual(self.hub.history.position, "-")
        self.track.take([self.own_mark(0)])
        position = self.hub.history.position
        self.assertTrue(position.startswith("0-"))
        self.track.take(messages(1))
        self.assertEqual(self.hub.history.start(position, [GROUP]).kind, Kind.MEMORY)

    def test_lost_before_the_mark(self) -> None:
        """A connection that is lost meanwhile is gone on with, still without a client."""
        self.track.take(messages(1, 2))
        self.assertEqual(self.begin(), 2)
        self.track.take([*messages(2, 3), self.own_mark(4)])
        self.assertEqual(self.numbers, [])
        kept = self.hub.history.read(0, [GROUP], 1000)
        self.assertEqual([each.offset for each in kept], [1, 2, 3])


class ContinuityTests(TrackCase):
    """The first message of a connection, and gaps."""

    def test_proven(self) -> None:
        """The same message once more: nothing is missing, and nothing comes twice."""
        self.warm()
        self.assertEqual(self.begin(), 2)
        self.assertTrue(self.track.is_unproven)
        self.track.take(messages(2, 3, 9))
        self.assertEqual(self.numbers, [b"1", b"2", b"3", b"9"])
        self.assertEqual(self.connection.gaps, [])
        self.assertEqual(self.continued(), 1)
        self.assertFalse(self.track.is_unproven)
        self.assertEqual(self.track.last, 9)
        self.track.take(messages(10))
        self.assertEqual(self.numbers[-1:], [b"10"])

    def test_nothing_else_yet(self) -> None:
        """The message alone brings nothing new."""
        self.warm()
        self.track.take(messages(2))
        self.assertEqual(self.numbers, [b"1", b"2"])
        self.assertEqual(self.begin(), 2)

    def test_last_was_no_event(self) -> None:
        """Whatever was read last proves it, be it a message that no client could take."""
        self.warm()
        self.track.take([*messages(2), message(3, b"not JSON")])
        self.assertEqual(self.begin(), 3)
        self.track.take([message(3, b"not JSON"), message(4)])
        self.assertEqual(self.continued(), 2)
        self.assertEqual(self.connection.gaps, [])

    def test_forgotten(self) -> None:
        """A later offset: the broker has forgotten that one, and perhaps more."""
        self.warm()
        position = self.hub.history.position
        heard: list[bytes] = []
        self.connection.on_gap = lambda: heard.extend(self.numbers)
        self.track.take(messages(3, 4))
        # An event before the news would bring a position from which nothing seems to be missing.
        self.assertEqual(heard, [b"1", b"2"])
        (why,) = self.connection.gaps
        self.assertIn("does not keep", why)
        self.assertEqual(self.numbers, [b"1", b"2", b"3", b"4"])
        self.assertEqual(self.continued(), 0)
        self.assertEqual(self.hub.history.start(position, [GROUP]).kind, Kind.ELSEWHERE)
        self.assertEqual(
            self.hub.history.start(self.hub.history.position, [GROUP]).kind, Kind.MEMORY
        )

    def test_another_stream(self) -> None:
        """The same offset with another body, or another routing key: it is another stream."""
        for other in (message(2, b"{}"), message(2, group="jobs-2")):
            self.setUp()
            self.warm()
            self.track.take([other, message(3)])
            (why,) = self.connection.gaps
            self.assertIn("not the one", why)
            self.assertEqual(self.hub.history.last, 3)

    def test_given_up(self) -> None:
        """A message that does not come: what is published next is read, from its beginning."""
        self.warm()
        self.track.give_up()
        self.assertEqual(self.begin(), "next")
        self.assertFalse(self.track.is_unproven)
        self.track.take([message(0, b"not JSON")])
        self.assertEqual(self.connection.gaps, [])
        self.track.take(messages(1))
        self.assertEqual(len(self.connection.gaps), 1)
        self.assertEqual(self.numbers, [b"1", b"2", b"1"])
        self.assertEqual(self.hub.history.last, 1)
        self.track.take(messages(2))
        self.assertEqual(len(self.connection.gaps), 1)

    def test_gap_before_the_first_mark(self) -> None:
        """The history knows of a gap in what is only kept, too."""
        self.track.take(messages(1))
        self.begin()
        self.track.take([*messages(5), self.own_mark(6)])
        self.assertFalse(self.hub.history.covers(1, [GROUP]))
        self.assertTrue(self.hub.history.covers(6, [GROUP]))


class FaultTests(TrackCase):
    """What a broker never does."""

    def test_back(self) -> None:
        """Offsets that do not rise, in one read or in two, end the connection."""
        self.warm()
        self.assertRaises(ProtocolViolation, self.track.take, messages(2, 4, 3))
        self.assertEqual(self.begin(), 2)
        self.assertRaises(ProtocolViolation, self.track.take, messages(2, 2))
        self.assertEqual(self.begin(), 2)
        self.track.take(messages(2, 3))
        self.assertRaises(ProtocolViolation, self.track.take, messages(3))
        self.assertEqual(self.numbers, [b"1", b"2", b"3"])

    def test_no_stream(self) -> None:
        """Messages of a queue that is no stream end the connection."""
        delivery = Delivery(1, 1, False, GROUP, 2, b"{}", b"\0" * 14)
        self.assertRaises(DecodeError, self.track.take, [delivery])
