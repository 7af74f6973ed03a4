"""Tests of the roster: who is connected, by user."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.roster import MAX_REVOCATIONS, Roster


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
        self.assertEqual(self.roster.revoke("7"), ("b", "c"))

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
        """A user without connections has none to lose."""
        self.assertEqual(self.roster.revoke("7"), ())


class RevocationTests(SynchronousTestCase):
    """What was found out about users, and may be outdated."""

    def setUp(self) -> None:
        """Know nobody."""
        self.roster: Roster[str] = Roster(0)

    def test_meanwhile(self) -> None:
        """A revocation outdates what was asked before it, of this user and no other."""
        self.roster.revoke("7")
        asked = self.roster.revocations
        self.assertFalse(self.roster.is_outdated("7", asked))
        self.roster.revoke("8")
        self.assertFalse(self.roster.is_outdated("7", asked))
        self.assertTrue(self.roster.is_outdated("8", asked))
        self.roster.revoke("7")
        self.assertTrue(self.roster.is_outdated("7", asked))
        self.assertFalse(self.roster.is_outdated("7", self.roster.revocations))

    def test_memory(self) -> None:
        """Only so many are remembered; what is older than those forgotten may be outdated."""
        self.roster.revoke("7")
        asked = self.roster.revocations
        for number in range(MAX_REVOCATIONS - 1):
            self.roster.revoke(f"user {number}")
        self.assertFalse(self.roster.is_outdated("unknown", 0))
        # Again does not take room.
        self.roster.revoke("user 0")
        self.assertFalse(self.roster.is_outdated("7", asked))
        self.roster.revoke("one more")
        self.assertLessEqual(len(self.roster._revoked), MAX_REVOCATIONS)
        self.assertTrue(self.roster.is_outdated("7", asked - 1))
        self.assertFalse(self.roster.is_outdated("unknown", self.roster.revocations))
        # Who is revoked again is no longer the one that is forgotten next.
        self.roster.revoke("user 1")
        self.roster.revoke("and another")
        self.assertEqual(self.roster._forgotten, asked + 3)
        self.assertTrue(self.roster.is_outdated("unknown", asked))
