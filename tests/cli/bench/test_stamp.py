"""What events of a load test hold."""

import json

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.stamp import MAX_NUMBER, SMALLEST, read, read_enveloped, stamped
from towerws.notify.encoder import encode


class StampTests(SynchronousTestCase):
    """What `stamped` makes and the publisher encodes, `read` reads."""

    def test_round_trip(self) -> None:
        """Number and moment come back, and the size is what was asked for."""
        for number, moment, size in ((0, 0, SMALLEST), (MAX_NUMBER, 2**63 - 1, 1000), (7, 5, 256)):
            payload = encode(stamped(number, moment, size))
            self.assertEqual(len(payload), size)
            self.assertEqual(read(payload), (number, moment))

    def test_enveloped(self) -> None:
        """So they do out of an envelope, whatever the position looks like."""
        payload = encode(stamped(7, 5, 100))
        for position in ("p", "1" * 128, r"\", \"event\": {\"bench\": \"0"):
            frame = b'{"group": "a-b", "position": "%b", "event": %b}'
            frame %= position.encode(), payload
            self.assertEqual(json.loads(frame)["group"], "a-b")
            self.assertEqual(read_enveloped(frame), (7, 5))
            self.assertIsNone(read(frame))

    def test_other_frames(self) -> None:
        """Nothing else in profile "towerws.v1" is taken for an event, and no bare one."""
        for payload in (
            b'{"heartbeat": "p"}',
            b'{"group": "a-b", "position": "p", "event": {"x": 1}}',
            b'{"group": "a-b", "position": "p", "event": {"bench": "x"}}',
            encode(stamped(7, 5, 100)),
            10 * b" " + encode(stamped(7, 5, 100)),
        ):
            self.assertIsNone(read_enveloped(payload))

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
