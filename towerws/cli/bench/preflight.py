"""What must be so before a load test begins: whose host it is, and what this machine can take."""

import ipaddress
import os
import resource
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from towerws.cli.errors import CommandError
from towerws.client.target import CONNECT_TIMEOUT, Target
from towerws.core.broker_url import BrokerURL
from towerws.notify import Unreachable
from towerws.notify.connecting import DEFAULT_URL
from towerws.notify.network import first_reached, resolve
from towerws.notify.site import Site

#: Files that a process has open besides its connections: streams, the reactor's, the publisher's.
SPARE_FILES = 64

#: Ports for outgoing connections, as Linux has them by default, and where it says so.
DEFAULT_PORTS = (32_768, 60_999)
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def find_server(target: Target) -> str | None:
    """Find an address of the server that accepts connections, once for all connections.

    Args:
        target: The server.

    Returns:
        The address; None with a Unix socket.

    Raises:
        CommandError: There is none.
    """
    if target.socket is not None:
        return None
    deadline = time.monotonic() + CONNECT_TIMEOUT
    try:
        return first_reached(resolve(target.host, target.port, deadline), _accepting, deadline)
    except Unreachable as error:
        raise CommandError(f"cannot connect to {target.name}: {error}") from None


def hosts_published_to(url: str | None) -> list[tuple[str, int]]:
    """Tell which hosts the events will be published to.

    Args:
        url: What the command line names, if it does.

    Returns:
        Hosts and ports, none with a Unix socket.

    Raises:
        CommandError: The URL is none.
    """
    text = (url or os.environ.get("TOWERWS_URL") or DEFAULT_URL).strip()
    try:
        if text.lower().startswith("amqp"):
            return list(BrokerURL.parse(text).hosts)
        site = Site.parse(text)
    except ValueError as error:
        raise CommandError(f"the publisher cannot be made: {error}") from None
    return [] if site.socket_path is not None else [(site.host, site.port)]


def require_loopback(hosts: Iterable[tuple[str, int]]) -> None:
    """Refuse to burden other machines by mistake.

    Args:
        hosts: Host names or addresses, and ports.

    Raises:
        CommandError: One of them is not this machine, or has no address.
    """
    for host, port in hosts:
        try:
            addresses = resolve(host, port, time.monotonic() + CONNECT_TIMEOUT)
        except Unreachable as error:
            raise CommandError(str(error)) from None
        if not all(ipaddress.ip_address(address).is_loopback for address, _ in addresses):
            raise CommandError(
                f"{host} is another machine: say --remote if it is yours to put under load"
            )


def allow_open_files(connections: int) -> None:
    """Raise this process's limit of open files as far as it may.

    Args:
        connections: How many connections are to be opened.

    Raises:
        CommandError: That is not enough for them.
    """
    needed = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise CommandError(
                f"{connections:,} connections need {needed:,} open files, and this process may "
                f"have {hard:,} (ulimit -Hn): {max(0, hard - SPARE_FILES):,} connections are "
                "possible"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def check_ports(connections: int) -> None:
    """Compare with the ports that this machine has for connections to one address.

    Args:
        connections: How many connections are to be opened to it.

    Raises:
        CommandError: They are too few.
    """
    try:
        low, high = map(int, _PORTS.read_text().split())
    except OSError:  # not Linux
        low, high = DEFAULT_PORTS
    if connections > (ports := high - low + 1):
        raise CommandError(
            f"this machine has {ports:,} ports for connections to one address, fewer than "
            f"{connections:,}: use ws+unix://, or another machine as well"
        )


def _accepting(address: tuple[str, int], deadline: float) -> str:
    """Tell whether somebody accepts connections there."""
    try:
        socket.create_connection(address, max(deadline - time.monotonic(), 0.001)).close()
    except OSError as error:
        raise Unreachable(f"{error.strerror or error}") from None
    return address[0]
