"""`towerws.core.archive`."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.archive import Archived
from towerws.core.event import Event


class ArchivedTests(SynchronousTestCase):
    """What an archive answers with; tests/core/test_resuming.py has what becomes of it."""

    def test_attributes(self) -> None:
        """The last event need not be the place up to which nothing is missing."""
        events = [Event("a-1", b"{}", 3)]
        archived = Archived(events, 7)
        self.assertEqual((archived.events, archived.upto), (events, 7))
