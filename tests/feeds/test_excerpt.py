"""`towerws.feeds.excerpt`: what is found in a part of the stream."""

from twisted.trial.unittest import SynchronousTestCase

from tests.feeds.streams import GROUP, make_stream_hub, mark_at, message, messages
from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import ProtocolViolation
from towerws.core.archive import Archived
from towerws.core.event import Event
from towerws.core.metrics import Metrics
from towerws.core.positions import Mark
from towerws.feeds.excerpt import Excerpt, Verdict


class ExcerptTests(SynchronousTestCase):
    """A history that begins behind 10, and readings from before that."""

    def setUp(self) -> None:
        """Publish more than the history keeps."""
        self.hub = make_stream_hub(Metrics(), most_events=2)
        self.publish(*range(8, 13))

    def publish(self, *offsets: int) -> None:
        """Let the node read events."""
        self.hub.publish(Event(GROUP, b'{"n": %d}' % offset, offset) for offset in offsets)

    def excerpt(self, mark: Mark, *groups: str, most_bytes: int = 10_000) -> Excerpt:
        """Begin to read."""
        return Excerpt(mark, frozenset(groups or [GROUP]), self.hub.history, most_bytes)

    def assert_found(self, excerpt: Excerpt, upto: int, *offsets: int) -> None:
        """Make sure of what was found."""
        self.assertIs(excerpt.verdict, Verdict.FOUND)
        events = [Event(GROUP, b'{"n": %d}' % offset, offset) for offset in offsets]
        self.assertEqual(excerpt.archived, Archived(events, upto))

    def test_up_to_memory(self) -> None:
        """Events are collected until the history goes on, and not beyond that."""
        excerpt = self.excerpt(mark_at(3))
        self.assertFalse(excerpt.is_proven)
        excerpt.take(messages(3))
        self.assertTrue(excerpt.is_proven)
        excerpt.take(messages(4, 5))
        self.assertIsNone(excerpt.verdict)
        self.assertIsNone(excerpt.archived)
        excerpt.take(messages(7, 9, 10))
        self.assert_found(excerpt, 10, 4, 5, 7, 9, 10)
        excerpt.take(messages(11))
        self.assert_found(excerpt, 10, 4, 5, 7, 9, 10)

    def test_memory_moves_on(self) -> None:
        """What the history forgets meanwhile is read as well."""
        excerpt = self.excerpt(mark_at(3))
        self.publish(13, 14)
        excerpt.take(messages(3, 10, 11))
        self.assertIsNone(excerpt.verdict)
        excerpt.take(messages(12, 13))
        self.assert_found(excerpt, 13, 10, 11, 12, 13)

    def test_no_event_at_the_end(self) -> None:
        """What no client can take has no position, and the history never comes to it."""
        excerpt = self.excerpt(mark_at(3))
        excerpt.take(
            [
                *messages(3, 11, 12),
                message(13, b"{}", "$revoke"),
                message(14, b"not JSON"),
                message(15, b"{}", "not.a.name/"),
            ]
        )
        self.assert_found(excerpt, 12, 11, 12)
        excerpt = self.excerpt(mark_at(3))
        excerpt.take([*messages(3, 11), message(12, b"{}", "$mark"), message(13, b"{}", "$revoke")])
        self.assert_found(excerpt, 12, 11)

    def test_groups(self) -> None:
        """Only what was asked for, and only what clients can take."""
        excerpt = self.excerpt(mark_at(3), "jobs-1", "jobs-3")
        oversized = message(6)
        oversized.body = None
        excerpt.take(
            [
                *messages(3),
                message(4, group="jobs-2"),
                message(5, b"not JSON"),
                oversized,
                message(7),
                message(8, b"[]", "jobs-3"),
                message(12, b"{}", "$mark"),
            ]
        )
        self.assert_found(excerpt, 12, 7)

    def test_proof(self) -> None:
        """What is at the mark must be there, with the same group and payload."""
        oversized = message(3)
        oversized.body = None
        surrogate = message(3)
        surrogate.routing_key = "\udcff"
        others: list[Delivery] = [
            message(4),
            message(2),
            message(3, b"{}"),
            message(3, group="jobs-2"),
            oversized,
            surrogate,
        ]
        for other in others:
            excerpt = self.excerpt(mark_at(3))
            excerpt.take([other, *messages(11, 12)])
            self.assertIs(excerpt.verdict, Verdict.NOT_FOUND)
            self.assertIsNone(excerpt.archived)

    def test_ahead_of_memory(self) -> None:
        """A mark that this node has not come to needs its proof only."""
        excerpt = self.excerpt(mark_at(20))
        excerpt.take(messages(20))
        self.assert_found(excerpt, 20)

    def test_nothing_in_memory(self) -> None:
        """Where the history will begin is not known before it has something."""
        self.hub = make_stream_hub(Metrics())
        excerpt = self.excerpt(mark_at(3))
        excerpt.take(messages(3, 4))
        self.assertIsNone(excerpt.verdict)
        self.publish(6)
        excerpt.take(messages(5))
        self.assert_found(excerpt, 5, 4, 5)

    def test_too_much(self) -> None:
        """What would not fit into memory is not found at all, and what was collected is freed."""
        excerpt = self.excerpt(mark_at(3), most_bytes=500)
        excerpt.take(messages(3, 4, 5, 6))
        self.assertIsNone(excerpt.verdict)
        excerpt.take(messages(7))
        self.assertIs(excerpt.verdict, Verdict.TOO_MUCH)
        self.assertEqual(excerpt._events, [])
        self.assertIsNone(excerpt.archived)

    def test_back(self) -> None:
        """Offsets rise, or the connection ends."""
        self.assertRaises(ProtocolViolation, self.excerpt(mark_at(3)).take, messages(3, 5, 4))
        self.assertRaises(ProtocolViolation, self.excerpt(mark_at(3)).take, messages(3, 3))
