"""`towerws.core.revocation_log`."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.revocation_log import MAX_REVOCATIONS, RevocationLog


class RevocationTests(SynchronousTestCase):
    """What was found out about users, and may be outdated."""

    def setUp(self) -> None:
        """Begin without any."""
        self.log = RevocationLog()

    def test_meanwhile(self) -> None:
        """A revocation outdates what was asked before it, of this user and no other."""
        self.log.add("7")
        asked = self.log.count
        self.assertFalse(self.log.is_outdated("7", asked))
        self.log.add("8")
        self.assertFalse(self.log.is_outdated("7", asked))
        self.assertTrue(self.log.is_outdated("8", asked))
        self.log.add("7")
        self.assertTrue(self.log.is_outdated("7", asked))
        self.assertFalse(self.log.is_outdated("7", self.log.count))

    def test_memory(self) -> None:
        """Only so many are remembered; what is older than those forgotten may be outdated."""
        self.log.add("7")
        asked = self.log.count
        for number in range(MAX_REVOCATIONS - 1):
            self.log.add(f"user {number}")
        self.assertFalse(self.log.is_outdated("unknown", 0))
        # Again does not take room.
        self.log.add("user 0")
        self.assertFalse(self.log.is_outdated("7", asked))
        self.log.add("one more")
        self.assertLessEqual(len(self.log._last), MAX_REVOCATIONS)
        self.assertTrue(self.log.is_outdated("7", asked - 1))
        self.assertFalse(self.log.is_outdated("unknown", self.log.count))
        # Who is revoked again is no longer the one that is forgotten next.
        self.log.add("user 1")
        self.log.add("and another")
        self.assertEqual(self.log._forgotten, asked + 3)
        self.assertTrue(self.log.is_outdated("unknown", asked))
