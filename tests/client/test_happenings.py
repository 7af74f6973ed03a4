"""What a frame of the server says to a client."""

from dataclasses import FrozenInstanceError, fields
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from towerws.client.happenings import Event, Happening


class HappeningTests(SynchronousTestCase):
    """What all kinds have in common."""

    def test_position(self) -> None:
        """Each says where its hearer is, first of all."""
        for kind in get_args(Happening):
            self.assertEqual(fields(kind)[0].name, "position", kind)

    def test_values(self) -> None:
        """They are values: equal if they say the same, and never changed."""
        event = Event("p1", "a-b", b"{}", {})
        self.assertEqual(event, Event("p1", "a-b", b"{}", {}))
        with self.assertRaises(FrozenInstanceError):
            event.position = "p2"  # type: ignore[misc]
