"""Tests of the limits of addresses."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.quota import BURST, MAX_IDLE, QuotaError, Quotas, Seat, is_local

_HOME = "203.0.113.9"


class QuotaCase(SynchronousTestCase):
    """A test with a clock that it sets."""

    def setUp(self) -> None:
        """Begin at an odd time."""
        self.now = 1234.5

    def quotas(self, connections: int = 0, handshakes: int = 0) -> Quotas:
        """Set limits."""
        return Quotas(connections, handshakes, lambda: self.now)

    def refused(self, quotas: Quotas, address: str = _HOME) -> str:
        """Come, and be refused; give the limit."""
        error = self.assertRaises(QuotaError, quotas.enter, address)
        self.assertEqual(str(error), f"{error.block} is over the limit {error.limit}")
        return str(error.limit)


class ConnectionsTests(QuotaCase):
    """Connections at a time."""

    def test_limit(self) -> None:
        """As many as allowed; when one leaves there is room again."""
        quotas = self.quotas(connections=2)
        first = quotas.enter(_HOME)
        quotas.enter(_HOME)
        for _ in range(3):
            self.assertEqual(self.refused(quotas), "connections_per_address")
        quotas.enter("198.51.100.7")
        quotas.leave(first)
        quotas.enter(_HOME)
        self.assertEqual(self.refused(quotas), "connections_per_address")

    def test_blocks(self) -> None:
        """IPv6 counts by networks of 64 bits, IPv4 by addresses, what is neither for itself."""
        for one, same, other in (
            ("203.0.113.9", "203.0.113.9", "203.0.113.10"),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
            ("garbage", "garbage", "other"),
        ):
            quotas = self.quotas(connections=1)
            quotas.enter(one)
            self.assertEqual(self.refused(quotas, same), "connections_per_address")
            quotas.enter(other)

    def test_names(self) -> None:
        """For people a block is written as usual."""
        self.assertEqual(self.quotas().enter("2001:db8:1:2::1").block, "2001:db8:1:2::/64")
        self.assertEqual(self.quotas().enter(_HOME).block, _HOME)

    def test_no_limit(self) -> None:
        """Zero stands for none, of either kind."""
        quotas = self.quotas()
        seats = {quotas.enter(_HOME) for _ in range(2000)}
        self.assertEqual(len(seats), 1)


class HandshakesTests(QuotaCase):
    """Handshakes per second."""

    def test_limit(self) -> None:
        """A burst at once, then the rate; who has left has come all the same."""
        quotas = self.quotas(handshakes=2)
        for _ in range(2 * BURST):
            quotas.leave(quotas.enter(_HOME))
        self.assertEqual(self.refused(quotas), "handshakes")
        quotas.enter("198.51.100.7")
        self.now += 0.5
        quotas.enter(_HOME)
        self.assertEqual(self.refused(quotas), "handshakes")

    def test_rate_first(self) -> None:
        """Who is over both limits is refused for coming too often."""
        quotas = self.quotas(connections=1, handshakes=1)
        quotas.enter(_HOME)
        reasons = [self.refused(quotas) for _ in range(BURST + 1)]
        self.assertEqual(reasons, ["connections_per_address"] * (BURST - 1) + ["handshakes"] * 2)


class MemoryTests(QuotaCase):
    """What is kept of whom."""

    def test_leaving(self) -> None:
        """Who has left is forgotten once all handshakes are there again, and not before."""
        quotas = self.quotas(handshakes=2)
        for _ in range(2 * BURST):
            quotas.leave(quotas.enter(_HOME))
        self.now += BURST - 0.1
        quotas.leave(quotas.enter("198.51.100.7"))
        self.assertEqual(len(quotas), 2)
        self.now += 0.1
        quotas.enter("198.51.100.7")
        self.assertEqual(len(quotas), 1)

    def test_refused(self) -> None:
        """Hammering does not win more than the rate: who hammers is not forgotten meanwhile."""
        quotas = self.quotas(handshakes=1)
        for _ in range(BURST):
            quotas.leave(quotas.enter(_HOME))
        entered = 0
        for _ in range(300):
            self.now += 0.1
            try:
                quotas.leave(quotas.enter(_HOME))
                entered += 1
            except QuotaError:
                pass
        self.assertLessEqual(entered, 31)
        self.now += BURST
        quotas.leave(quotas.enter("198.51.100.7"))
        self.assertEqual(len(quotas), 1)

    def test_without_rate(self) -> None:
        """If only connections are counted, who has none is forgotten at once."""
        quotas = self.quotas(connections=2)
        seats = [quotas.enter(_HOME), quotas.enter(_HOME)]
        quotas.leave(seats[0])
        self.assertEqual(len(quotas), 1)
        quotas.leave(seats[1])
        self.assertEqual(len(quotas), 0)

    def test_connected(self) -> None:
        """Who is connected is never forgotten."""
        quotas = self.quotas(connections=1, handshakes=1)
        seat = quotas.enter(_HOME)
        self.now += 1000
        for number in range(100):
            quotas.leave(quotas.enter(f"10.0.0.{number}"))
        self.assertEqual(self.refused(quotas), "connections_per_address")
        quotas.leave(seat)
        self.assertIsInstance(quotas.enter(_HOME), Seat)

    def test_coming_back(self) -> None:
        """Who comes back is not forgotten for having been away."""
        quotas = self.quotas(handshakes=1)
        quotas.leave(quotas.enter(_HOME))
        seat = quotas.enter(_HOME)
        self.now += 2 * BURST
        quotas.enter("198.51.100.7")
        self.assertIs(quotas.enter(_HOME), seat)

    def test_many_addresses(self) -> None:
        """However many come, only so many are remembered: those that came last."""
        quotas = self.quotas(handshakes=1)
        staying = quotas.enter(_HOME)
        for number in range(MAX_IDLE + 50):
            quotas.leave(quotas.enter(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
        self.assertEqual(len(quotas), MAX_IDLE + 1)
        self.assertIs(quotas.enter(_HOME), staying)

    def test_they_vanish(self) -> None:
        """A crowd that has left is forgotten as others come, and never all at once."""
        quotas = self.quotas(handshakes=1)
        for number in range(100):
            quotas.leave(quotas.enter(f"10.0.0.{number}"))
        self.now += BURST
        sizes = []
        for _ in range(100):
            quotas.enter(_HOME)
            self.now += 1
            sizes.append(len(quotas))
        self.assertEqual(sizes[:3], [99, 97, 95])
        self.assertEqual(sizes[-1], 1)


class LocalTests(SynchronousTestCase):
    """`is_local` knows this machine's own addresses."""

    def test_addresses(self) -> None:
        """Loopback addresses and Unix sockets."""
        for address in ("", "127.0.0.1", "127.255.0.1", "::1"):
            self.assertTrue(is_local(address), address)
        for address in ("10.0.0.1", "2001:db8::1", "::", "0.0.0.0", "localhost", "garbage"):
            self.assertFalse(is_local(address), address)
