"""Ports, processes and waiting, for tests with real servers on loopback."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

#: Below Linux' range for outgoing connections (32768 and up): a server that was killed must find
#: its own port free when it comes back.
_PORTS = range(20000, 32000)


def free_ports(count: int) -> list[int]:
    """Choose TCP ports that nobody on 127.0.0.1 uses now.

    Args:
        count: How many, at most some dozens.

    Returns:
        Different ports, chosen at random so that test runs side by side rarely meet.

    Raises:
        RuntimeError: Too few of those that were tried are free.
    """
    ports: list[int] = []
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free ports on loopback")


def listens(port: int) -> bool:
    """Tell whether somebody accepts TCP connections on 127.0.0.1.

    Args:
        port: The TCP port.

    Returns:
        True if a connection was accepted within a second; it is closed at once.
    """
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not yet reaped does not (Linux).

    Args:
        pid: Its number.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], timeout: float, otherwise: str) -> None:
    """Block until something is true, looking soon at first, then every 50 ms.

    Args:
        condition: Asked again and again.
        timeout: The longest wait, in seconds.
        otherwise: What to complain about when it stays false, such as ``"the port is open"``.

    Raises:
        RuntimeError: It stayed false.
    """
    deadline = time.monotonic() + timeout
    pause = 0.005
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{otherwise} after {timeout:g} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def end_group(leader: subprocess.Popen[bytes], timeout: float) -> None:
    """End a process group: with SIGTERM, then by force; returns when its leader is gone.

    Args:
        leader: A child started with ``start_new_session=True``.
        timeout: How long it may take to end in order, in seconds.
    """
    if leader.poll() is not None:
        return
    os.killpg(leader.pid, signal.SIGTERM)
    try:
        leader.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait(timeout)
