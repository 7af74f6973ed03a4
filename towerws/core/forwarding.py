"""Who is behind a proxy that is trusted: ``X-Forwarded-For`` and ``X-Forwarded-Proto``.

Anybody can send these headers; they are believed only of proxies that the operator has named. Each
proxy appends the address that spoke to it, so the list is read from its end: what stands there was
written by our own proxy, what stands before it by whoever spoke to that.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Literal

#: As a trusted proxy: whatever comes by a Unix socket.
UNIX = "unix"

#: Proxies in a row that are looked behind; more stand in front of nobody.
MAX_HOPS = 20

# An IPv6 address with an IPv4 address in it has 45 characters; a zone, brackets and a port come on
# top.
_MAX_LENGTH = 100

# Addresses of which is remembered what they are.
_REMEMBERED = 1024

#: What proxies call a page's scheme; some use those of websockets.
_SCHEMES: dict[str, Literal["http", "https"]] = {
    "http": "http",
    "ws": "http",
    "https": "https",
    "wss": "https",
}


class Proxies:
    """The proxies that are trusted to say who is behind them."""

    __slots__ = ("_networks", "_unix")

    def __init__(self, values: Iterable[str]) -> None:
        """Name them.

        Args:
            values: IP addresses, networks such as ``10.0.0.0/8``, and ``unix``.

        Raises:
            ValueError: One is neither; the text is one sentence.
        """
        networks: set[IPv4Network | IPv6Network] = set()
        self._unix = False
        for value in values:
            if value == UNIX:
                self._unix = True
                continue
            try:
                networks.add(ip_network(value))
            except ValueError:
                raise ValueError(
                    f"{value!r} is neither an IP address nor a network such as 10.0.0.0/8, "
                    f"nor {UNIX}"
                ) from None
        self._networks = frozenset(networks)

    def __eq__(self, other: object) -> bool:
        """Tell whether the same proxies are trusted."""
        if not isinstance(other, Proxies):
            return NotImplemented
        return (self._networks, self._unix) == (other._networks, other._unix)

    def __hash__(self) -> int:
        """Hash the proxies."""
        return hash((self._networks, self._unix))

    def trusts(self, peer: str) -> bool:
        """Tell whether an address is that of a trusted proxy.

        Args:
            peer: An IP address as `client_address` gives it; empty for a Unix socket.
        """
        if not peer:
            return self._unix
        if not self._networks:
            return False
        address = parse_address(peer)
        # Python compares the versions itself.
        return address is not None and any(address in network for network in self._networks)

    def client_address(self, peer: str, forwarded_for: str | None) -> str:
        """Find out who a connection comes from.

        Ports, brackets and zones are dropped, and an IPv4 address within an IPv6 one is the IPv4
        address. Behind an entry that is no address, such as ``unknown`` and ``_hidden``, nobody can
        be found any more: then it comes from the proxy that wrote it.

        Args:
            peer: The address at the other end of the connection; empty for a Unix socket.
            forwarded_for: The value of ``X-Forwarded-For``, those of repeated headers joined by
                commas; None if there is none.

        Returns:
            The first address from the end that is not a trusted proxy's; that of the outermost
            proxy if there is none. ``peer`` itself, in its usual form, unless it is trusted.
        """
        client = _normalize(peer)
        if forwarded_for is None:
            return client
        # Not all of it is taken apart: it may be 64 KiB of commas.
        for hop in reversed(forwarded_for.rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
            if not self.trusts(client):
                break
            # What is remembered of addresses must not grow with what clients write.
            address = parse_address(hop) if len(hop) <= _MAX_LENGTH else None
            if address is None:
                break
            client = str(address)
        return client

    def scheme(self, peer: str, forwarded_proto: str | None) -> Literal["http", "https"] | None:
        """Find out by which scheme a client speaks to the outermost proxy.

        Args:
            peer: The address at the other end of the connection; empty for a Unix socket.
            forwarded_proto: The value of ``X-Forwarded-Proto``; None if there is none.

        Returns:
            The scheme of a page that is served there; None if no trusted proxy says it, or several
            do not agree.
        """
        if forwarded_proto is None or not self.trusts(peer):
            return None
        named = {_SCHEMES.get(each.strip().lower()) for each in forwarded_proto.split(",")}
        return named.pop() if len(named) == 1 else None


@lru_cache(_REMEMBERED)
def _normalize(peer: str) -> str:
    address = parse_address(peer)
    return peer if address is None else str(address)


@lru_cache(_REMEMBERED)
def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address.

    That is done several times in each handshake, and takes some microseconds each time; so the
    last ones are remembered.

    Args:
        text: As a socket, an operator or a proxy writes it, not as long as it likes: perhaps with a
            port, brackets or a zone, which are dropped, as is what makes an IPv4 address an IPv6
            one.

    Returns:
        The address; None if it is none.
    """
    host = text.strip(" \t")
    if host.startswith("["):
        host, closed, port = host[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            return None
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return address if address.version == 4 else address.ipv4_mapped or address
