"""Tests of the roster: who is connected, by user."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.roster import Roster


class ConnectionsTests(SynchronousTestCase):
    """Connections by user."""

    def setUp(self) -> None:
        """Allow two of each."""
        self.roster: Roster[str] = Roster(2)

    def test_limit(self) -> None:
        """As many as allowed of each user; when one leaves there is room again."""
        self.assertTrue(self.roster.enter("7", "a"))
        self.assertTrue(self.roster.enter("7", "b"))
        self.assertFalse(self.roster.enter("7", "c"))
        self.assertTrue(self.roster.enter("8", "d"))
        self.roster.leave("7", "a")
        self.assertTrue(self.roster.enter("7", "c"))
        self.assertEqual(self.roster.connections_of("7"), ("b", "c"))

    def test_no_limit(self) -> None:
        """Zero stands for none."""
        roster: Roster[int] = Roster(0)
        self.assertTrue(all(roster.enter("7", number) for number in range(500)))

    def test_nothing_stays(self) -> None:
        """Users without connections are forgotten, those who were refused as well."""
        for user in "789":
            for connection in "abc":
                self.roster.enter(user, connection)
            for connection in "ab":
                self.roster.leave(user, connection)
        self.assertEqual(self.roster._connections, {})

    def test_unknown(self) -> None:
        """A user without connections has none."""
        self.assertEqual(self.roster.connections_of("7"), ())
