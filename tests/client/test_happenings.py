"""What a frame of the server says to a client."""

from dataclasses import fields
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from towerws.client.happenings import Happening


class HappeningTests(SynchronousTestCase):
    """What all kinds have in common."""

    def test_position(self) -> None:
        """Each says where its hearer is, first of all."""
        for kind in get_args(Happening):
            self.assertEqual(fields(kind)[0].name, "position", kind)
