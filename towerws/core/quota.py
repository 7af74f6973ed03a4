"""How many connections, and how many handshakes a second, one address may have."""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Literal

from towerws.core.forwarding import parse_address
from towerws.core.rate import TokenBucket

#: How many seconds of the rate may come at once: all clients of an office, after a restart.
BURST = 10

#: Addresses that are remembered although nobody is connected from them, some 500 bytes each. A
#: remembered one is forgotten after `BURST` seconds anyway, when it has all its handshakes again.
MAX_IDLE = 10_000

#: What one customer of a provider has at least, and can choose addresses from at will (RFC 6177).
_IPV6_PREFIX = 64
_IPV6_MASK = (1 << 128) - (1 << (128 - _IPV6_PREFIX))


class QuotaError(Exception):
    """An address asks for more than it may have.

    Attributes:
        limit: Which of the limits it is, as in the metrics.
        block: The address, or the block of addresses, as it is counted.
    """

    def __init__(self, limit: Literal["connections_per_address", "handshakes"], block: str) -> None:
        """Name the limit.

        Args:
            limit: Which one.
            block: Who is over it.
        """
        super().__init__(f"{block} is over the limit {limit}")
        self.limit = limit
        self.block = block


class Seat:
    """What is known of one address; all connections from there have the same."""

    __slots__ = ("block", "bucket", "connections")

    def __init__(self, block: str, bucket: TokenBucket) -> None:
        """Begin without connections.

        Args:
            block: The address, or the block of addresses.
            bucket: Its handshakes.
        """
        self.block = block
        self.bucket = bucket
        self.connections = 0


class Quotas:
    """Counts connections and handshakes by address, in bounded memory.

    IPv6 addresses of one /64 network count as one. An address is remembered while it has
    connections, of which there are not more than the server takes; beyond that, the `MAX_IDLE` that
    were there last. Who has more addresses than that to come from is bounded by no limit of an
    address, remembered or not.
    """

    def __init__(self, connections: int, handshakes: int, seconds: Callable[[], float]) -> None:
        """Begin with nobody.

        Args:
            connections: Of one address at a time; 0 for no limit.
            handshakes: Of one address per second in the long run, `BURST` times as many at once; 0
                for no limit.
            seconds: The clock.
        """
        self._connections = connections
        self._handshakes = handshakes
        self._seconds = seconds
        self._seats: dict[str, Seat] = {}
        # When each that has no connections is to be forgotten, the next one first.
        self._idle: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Tell how many addresses are remembered."""
        return len(self._seats)

    def enter(self, address: str) -> Seat:
        """Count a connection that begins its handshake.

        Args:
            address: Where it comes from.

        Returns:
            To be given back with `leave` when the connection is over.

        Raises:
            QuotaError: There may be no more; nothing was counted but the attempt.
        """
        now = self._seconds()
        self._forget_idle(now)
        block = _block(address)
        seat = self._seats.get(block)
        if seat is None:
            bucket = TokenBucket(self._handshakes, self._handshakes * BURST, now)
            seat = self._seats[block] = Seat(block, bucket)
        if self._handshakes and not seat.bucket.take(now):
            raise QuotaError("handshakes", block)
        if self._connections and seat.connections >= self._connections:
            raise QuotaError("connections_per_address", block)
        seat.connections += 1
        self._idle.pop(block, None)
        return seat

    def leave(self, seat: Seat) -> None:
        """Count a connection that is over.

        Args:
            seat: What `enter` gave.
        """
        seat.connections -= 1
        if seat.connections:
            return
        # By then all its handshakes are there again, since attempts that are refused take none.
        self._idle[seat.block] = self._seconds() + BURST
        if len(self._idle) > MAX_IDLE or not self._handshakes:
            self._forget_first()

    def _forget_idle(self, now: float) -> None:
        # Two for each that may come, so that none stays for long and it never takes long.
        for _ in range(2):
            if self._idle and next(iter(self._idle.values())) <= now:
                self._forget_first()

    def _forget_first(self) -> None:
        block, _ = self._idle.popitem(last=False)
        del self._seats[block]


@lru_cache(1024)
def is_local(address: str) -> bool:
    """Tell whether an address is this machine's own: a proxy on it, or one of its programs.

    Args:
        address: An IP address; empty for a Unix socket.
    """
    parsed = parse_address(address)
    return not address or (parsed is not None and parsed.is_loopback)


def _block(address: str) -> str:
    parsed = parse_address(address)
    if parsed is None or parsed.version == 4:
        return address
    return f"{IPv6Address(int(parsed) & _IPV6_MASK)}/{_IPV6_PREFIX}"
