"""Tests of the publisher's errors."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.notify import errors


class HierarchyTests(SynchronousTestCase):
    """What a backend may catch."""

    def test_one_base(self) -> None:
        """`EmitError` covers all; a lost connection is one way of not reaching the peer."""
        kinds = [
            errors.PayloadError,
            errors.GroupNameError,
            errors.Refused,
            errors.Busy,
            errors.Unreachable,
        ]
        for kind in kinds:
            self.assertEqual(kind.__bases__, (errors.EmitError,))
        for kind in (errors.ConnectionLost, errors.Unconfirmed):
            self.assertEqual(kind.__bases__, (errors.Unreachable,))
