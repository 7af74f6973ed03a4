"""What events of a load test hold."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.stamp import MAX_NUMBER, SMALLEST, read, stamped
from towerws.notify.encoder import encode


class StampTests(SynchronousTestCase):
    """What `stamped` makes and the publisher encodes, `read` reads."""

    def test_round_trip(self) -> None:
        """Number and moment come back, and the size is what was asked for."""
        for number, moment, size in ((0, 0, SMALLEST), (MAX_NUMBER, 2**63 - 1, 1000), (7, 5, 256)):
            payload = encode(stamped(number, moment, size))
            self.assertEqual(len(payload), size)
            self.assertEqual(read(payload), (number, moment))

    def test_others(self) -> None:
        """Nothing else is taken for an event."""
        for payload in (
            b"",
            b'{"accept": true, "user": null}',
            b'{"bench": "',
            b'{"bench": "x' + b"0" * 60,
            b' {"bench": "' + b"0" * 60,
        ):
            self.assertIsNone(read(payload))
