"""The account of deliveries: what counts, and what is found to be missing."""

import json

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.deliveries import Ledger


class LedgerTests(SynchronousTestCase):
    """`Ledger` lets nothing be lost, invented or counted twice."""

    def setUp(self) -> None:
        """Two groups: connections 3 and 4 are in the first, 5 is in the second."""
        self.ledger = Ledger([2, 1], 256)
        self.groups = [(3, 0), (4, 0), (5, 1)]

    def _take(self, fd: int, data: bytes) -> None:
        self.ledger.take(fd, data, 0, 2_000_000_000_000_000_000, 2_000_000_000_000_000_005)

    def test_an_event_is_json_of_the_size(self) -> None:
        """Payloads have the wanted length, and every server takes them."""
        for size in (256, 4096):
            payload = Ledger([1], size).publication(0).payload
            self.assertEqual(len(payload), size)
            self.assertEqual(json.loads(payload)["job"], 42)

    def test_all_arrived(self) -> None:
        """Deliveries are expected for each member, found in any wrapping, and timed."""
        event = self.ledger.publication(0)
        self.assertEqual(self.ledger.expected, 2)
        for fd in (3, 4):
            self._take(fd, b"HEADER:1\n\n" + event.payload + b"\0")
        self.assertEqual(self.ledger.received, 2)
        self.assertEqual(self.ledger.lost(self.groups), 0)
        self.assertEqual(self.ledger.delays[0] - self.ledger.latencies[0], 5)

    def test_lost(self) -> None:
        """What one connection got does not stand in for what another one did not."""
        first, second = self.ledger.publication(0), self.ledger.publication(0)
        self._take(3, first.payload)
        self._take(3, second.payload)
        self._take(4, second.payload)
        self.assertEqual(self.ledger.lost(self.groups), 1)

    def test_foreign(self) -> None:
        """Twice, out of order or never published: none is a delivery."""
        first, second = self.ledger.publication(0), self.ledger.publication(0)
        self._take(3, second.payload)
        for payload in (second.payload, first.payload, Ledger([1], 256).publication(0).payload):
            self._take(3, payload)
        self._take(3, b'{"accept": true}')
        self.assertEqual((self.ledger.received, self.ledger.foreign), (1, 4))
