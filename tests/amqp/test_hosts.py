"""Tests of `towerws.amqp.hosts`."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.hosts import Hosts

_A, _B, _C = (("a", 1), ("b", 2), ("c", 3))


class HostsTests(SynchronousTestCase):
    """The order in which hosts are tried."""

    def setUp(self) -> None:
        """Have three hosts."""
        self.hosts = Hosts((_A, _B, _C))

    def test_at_first(self) -> None:
        """It is that of the URL."""
        self.assertEqual([*self.hosts], [_A, _B, _C])
        self.assertEqual(self.hosts.serving_first(), [_A, _B, _C])

    def test_dropped_soon(self) -> None:
        """A host that drops connections comes last, so that each gets its turn."""
        self.hosts.lost(0, lasted=False)
        self.assertEqual([*self.hosts], [_B, _C, _A])
        self.hosts.lost(1, lasted=False)
        self.assertEqual([*self.hosts], [_A, _B, _C])
        self.hosts.lost(2, lasted=False)
        self.assertEqual([*self.hosts], [_A, _B, _C])

    def test_lasted(self) -> None:
        """After a good connection the order is that of the URL again."""
        self.hosts.lost(0, lasted=False)
        self.hosts.lost(1, lasted=True)
        self.assertEqual([*self.hosts], [_A, _B, _C])

    def test_twice_the_same(self) -> None:
        """A host that is named twice keeps nobody from the third."""
        hosts = Hosts((_A, _A, _B))
        hosts.lost(0, lasted=False)
        hosts.lost(0, lasted=False)
        self.assertEqual(next(iter(hosts)), _B)

    def test_serving(self) -> None:
        """The host that serves comes first, the others as in the URL, each once."""
        self.hosts.serving = _B
        self.assertEqual(self.hosts.serving_first(), [_B, _A, _C])
        self.assertEqual([*self.hosts], [_A, _B, _C])
