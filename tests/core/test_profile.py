"""`towerws.core.profile`; tests/core/test_session*.py have profile "awx" at work."""

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient
from towerws.core.profile import AWXProfile, Told


class ToldTests(SynchronousTestCase):
    """What a client is told is what changed since it was told last, not since the last change."""

    def test_update(self) -> None:
        """Changes that it was not told of add up."""
        groups = frozenset({"a", "b"})
        told = Told(lambda: groups)
        self.assertEqual(told.update(), ({"a", "b"}, set(), {"a", "b"}))
        groups = frozenset({"b"})
        groups = frozenset({"c"})
        self.assertEqual(told.groups, {"a", "b"})
        self.assertEqual(told.update(), ({"c"}, {"a", "b"}, {"c"}))
        self.assertEqual(told.update(), ({"c"}, set(), set()))


class AWXTests(SynchronousTestCase):
    """What this profile has no frames for."""

    def test_says_nothing(self) -> None:
        """It knows no positions, and announces nothing."""
        client = FakeClient()
        profile = AWXProfile(client, Told(frozenset), closes_on_gap=True)
        profile.asked(None)
        profile.announce(1000)
        profile.drained()
        profile.gap("why")
        profile.end()
        self.assertEqual((client.frames, client.closes_soon, client.is_held), ([], [], False))
