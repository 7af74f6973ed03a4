"""How far an audience has been told."""

from twisted.trial.unittest import SynchronousTestCase

from tests.client.ears import Ears
from towerws.client.audience import Bookmark
from towerws.client.happenings import (
    Accepted,
    Dropped,
    Event,
    Gap,
    Happening,
    Heartbeat,
    Joined,
    Objection,
    Reconnect,
)


class BookmarkTests(SynchronousTestCase):
    """`Bookmark` tells, and moves on when that is done."""

    def setUp(self) -> None:
        """Have told nothing yet."""
        self.bookmark = Bookmark()
        self.ears = Ears()

    def tell(self, happening: Happening) -> str | None:
        """Tell of it, and give where the audience is then."""
        self.bookmark.tell(happening, self.ears)
        return self.bookmark.position

    def test_told(self) -> None:
        """Each kind is told in its own way, and moves the bookmark."""
        event = Event("p2", "a-b", b"{}", {})
        self.assertEqual(self.tell(Joined("p1", ["a-b"])), "p1")
        self.assertEqual(self.tell(event), "p2")
        self.assertEqual(self.tell(Gap("p3", "away")), "p3")
        self.assertEqual(self.tell(Objection("p4", "no")), "p4")
        self.assertEqual(self.tell(Dropped("p5", "odd")), "p5")
        self.assertEqual((self.ears.groups, self.ears.heard), ([["a-b"]], [event]))
        self.assertEqual(self.ears.gaps, ["away"])
        self.assertEqual(self.ears.notices, ["the server says: no", "odd"])

    def test_not_told(self) -> None:
        """What concerns the connection alone is not told, but moves the bookmark."""
        for happening in (Accepted("p1", 15.0), Heartbeat("p2"), Reconnect("p3", 1.0)):
            self.assertEqual(self.tell(happening), happening.position)
        self.assertEqual(self.ears.told, [])

    def test_joined(self) -> None:
        """Only a subscription that was in force makes what comes later count."""
        self.tell(Accepted(None, None))
        self.assertFalse(self.bookmark.joined)
        self.tell(Joined(None, ["a-b"]))
        self.assertTrue(self.bookmark.joined)

    def test_missed(self) -> None:
        """What may be missing is told once the subscription is in force."""
        self.tell(Joined("p1", ["a-b"], "it may be"))
        self.assertEqual(self.ears.told, ["joined", "gap"])
        self.assertEqual(self.ears.gaps, ["it may be"])

    def test_audience_fails(self) -> None:
        """What the audience could not be told is told again: the bookmark stays."""
        self.tell(Heartbeat("p1"))
        self.ears.fault = BrokenPipeError()
        for happening in (Event("p2", "a-b", b"{}", {}), Gap("p2", "away"), Joined("p2", [], "x")):
            self.assertRaises(BrokenPipeError, self.tell, happening)
            self.assertEqual(self.bookmark.position, "p1")
