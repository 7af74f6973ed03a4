"""What both ways of publishing need of the network: time limits, and names made addresses."""

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from towerws.notify.errors import Unreachable

#: TCP keepalive of an idle connection: the first probe after 30 s, given up after three more 10 s
#: apart. It keeps the state of firewalls alive, and finds out about a dead peer, without any code
#: of ours running: a web process may call us once an hour.
KEEPALIVE = {
    option: value
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, option)  # macOS has not all of them
}


_Candidate = TypeVar("_Candidate")
_Connection = TypeVar("_Connection")


def remaining(deadline: float) -> float:
    """Tell how much time is left.

    Args:
        deadline: A moment of `time.monotonic`.

    Returns:
        Seconds, more than 0.

    Raises:
        TimeoutError: None is left.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left


def first_reached(
    candidates: Sequence[_Candidate],
    connect: Callable[[_Candidate, float], _Connection],
    deadline: float,
) -> _Connection:
    """Connect to the first peer that answers, with an equal share of the time for each.

    Args:
        candidates: Peers, at least one, in the order in which to try them.
        connect: Connects to one of them until a moment of `time.monotonic`, or raises
            `Unreachable`.
        deadline: When to give up, as a moment of `time.monotonic`.

    Returns:
        The first connection made.

    Raises:
        Unreachable: The last peer was not reached either; why.
    """
    for left in range(len(candidates), 1, -1):
        now = time.monotonic()
        try:
            return connect(candidates[-left], now + (deadline - now) / left)
        except Unreachable:
            continue
    return connect(candidates[-1], deadline)


def resolve(host: str, port: int, deadline: float) -> list[tuple[str, int]]:
    """Find the addresses of a host.

    Args:
        host: A name, or an address, which is its own.
        port: The TCP port.
        deadline: When to give up, as a moment of `time.monotonic`.

    Returns:
        At least one address with the port, IPv4 or IPv6, in the system's order of preference.

    Raises:
        Unreachable: The name is unknown, or the time is over.
    """
    try:
        return [(str(ipaddress.ip_address(host)), port)]
    except ValueError:
        pass
    # The resolver takes no time limit and can take half a minute: it gets a thread of its own,
    # which is left to itself when the time is over.
    answers: queue.SimpleQueue[list[tuple[str, int]] | Exception] = queue.SimpleQueue()
    threading.Thread(
        target=_look_up, args=(host, port, answers), name="towerws-resolve", daemon=True
    ).start()
    try:
        answer = answers.get(timeout=remaining(deadline))
    except (queue.Empty, TimeoutError):
        raise Unreachable(f"the address of {host} was not found in time") from None
    if isinstance(answer, Exception):
        raise Unreachable(f"the address of {host} was not found: {answer}") from answer
    return answer


def _look_up(
    host: str, port: int, answers: "queue.SimpleQueue[list[tuple[str, int]] | Exception]"
) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter of a label over 63 characters
        answers.put(error)
    else:
        answers.put([(str(address[0]), port) for *_, address in found])
