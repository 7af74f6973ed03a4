"""What connections cost: memory of idle ones, CPU of handshakes, and how long their end takes.

Run as ``python -m benchmarks.connections``; it ends by itself within a few minutes. It starts a
server as operators do, on one core, and connects clients from another one. Each makes a browser's
handshake and subscribes to a group of its own and a common one. Measured are the memory of the
server for each client, the CPU of the server from accepting one to answering its subscription, and
the longest turn of the reactor while all leave at once. For the latter the server is stopped
(SIGSTOP) until the last one has left, so that it really finds all of it at once.
"""

import argparse
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.crowd import Crowd
from benchmarks.measure import CPU, LOAD_CORE, SERVER_CORE, allow_files, on_core, resident, runs
from benchmarks.turns import LongestTurn
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import RabbitMQNode
from tests.integration.server import ServerProcess, twistd

TOTAL_DEADLINE = 900.0
#: Clients of the same kind that come and go first: what Python allocates once is not theirs.
WARM_UP = 200
#: On their way at the same time, fewer than the backlog of a listening socket.
AT_ONCE = 40
#: Files of the server or of this process that are no client's connection.
_SPARE_FILES = 100
#: Fewer files than this are open when all clients have gone.
_FEW_FILES = 30


class Server:
    """A running server.

    Attributes:
        port: Where it listens.
        pid: Its process.
        turns: Its longest turn.
    """

    def __init__(self, port: int, pid: int, turns: LongestTurn) -> None:
        """Know a server by its port, process and turns."""
        self.port = port
        self.pid = pid
        self.turns = turns

    def files(self) -> int:
        """Count its open files, sockets included."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


@contextmanager
def server(clients: int, broker: str | None) -> Iterator[Server]:
    """Run a server on the servers' core, with timed turns.

    Args:
        clients: How many it has to take.
        broker: The broker's URL; the embedded source if None.
    """
    # The result is in the server's own directory, and goes with it.
    timed = (sys.executable, "-m", "benchmarks.turns", "turns")
    process = ServerProcess(
        *("--max-connections", str(clients + WARM_UP)),
        broker=broker,
        command=(*timed, twistd(), "--nodaemon", "--pidfile="),
    )
    try:
        with on_core(SERVER_CORE):
            process.start()
        turns = LongestTurn(Path(f"/proc/{process.pid}/cwd/turns"))
        yield Server(process.port, process.pid, turns)
    finally:
        process.stop()


def idle(clients: int, seconds: float, broker: str | None) -> tuple[float, float, float, float]:
    """Connect clients, and let them idle.

    Returns:
        KiB of memory for each after that time; microseconds of CPU to connect one; and the longest
        turns while they connected and while they were idle, in milliseconds of the clock.
    """
    with server(clients, broker) as own:
        crowd = Crowd(own.port)
        crowd.join(WARM_UP, AT_ONCE)
        leave(own, crowd.hang_up, crowd)
        memory, cpu = resident([own.pid]), CPU.read([own.pid])
        own.turns.reset()
        crowd.join(clients, AT_ONCE)
        used = CPU.read([own.pid]).since(cpu)
        connecting = own.turns.read()[0]
        own.turns.reset()
        crowd.stay(seconds)
        # Before the memory is read, for which the kernel makes the server wait.
        idling = own.turns.read()[0]
        grown = resident([own.pid]) - memory
        crowd.hang_up()
    return grown / clients / 1024, used / clients / 1e3, connecting * 1e3, idling * 1e3


def leave(own: Server, how: Callable[[], None], crowd: Crowd) -> tuple[float, float]:
    """Let all clients leave while the server is stopped; then watch it clean up.

    Returns:
        The longest turn in milliseconds, of the clock and of the processor.
    """
    time.sleep(0.5)
    own.turns.reset()
    os.kill(own.pid, signal.SIGSTOP)
    try:
        how()
    finally:
        os.kill(own.pid, signal.SIGCONT)
    crowd.stay(30)
    wait_until(lambda: own.files() < _FEW_FILES, 60, "the server does not get rid of its clients")
    # Whatever comes in the next turn.
    time.sleep(0.2)
    clock, cpu = own.turns.read()
    return clock * 1e3, cpu * 1e3


def depart(clients: int, how: str, broker: str | None) -> tuple[float, float]:
    """Connect clients and let all leave at once; see `leave`."""
    with server(clients, broker) as own:
        crowd = Crowd(own.port)
        crowd.join(clients, AT_ONCE)
        if how != "server":
            return leave(own, getattr(crowd, how), crowd)
        own.turns.reset()
        os.kill(own.pid, signal.SIGTERM)
        crowd.stay(30)
        clock, cpu = own.turns.read()
        assert not crowd.sockets, f"{len(crowd.sockets)} clients are still connected"
        return clock * 1e3, cpu * 1e3


def show(name: str, unit: str, values: list[float]) -> None:
    """Print a line of the table."""
    print(f"{name:48} {runs(values, unit)}")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--idle", type=float, default=25, help="seconds; a Ping goes out after 20")
    parser.add_argument("--only", choices=("idle", "hang_up", "say_goodbye", "server"))
    parser.add_argument("--broker", action="store_true", help="through a RabbitMQ node of its own")
    arguments = parser.parse_args()
    faulthandler.dump_traceback_later(TOTAL_DEADLINE, exit=True)
    needed = arguments.clients + WARM_UP + _SPARE_FILES
    if (allowed := allow_files(needed)) < needed:
        parser.error(f"{needed} files are needed, and {allowed} allowed (ulimit -Hn)")
    os.sched_setaffinity(0, {LOAD_CORE})
    node = RabbitMQNode() if arguments.broker else None
    if node is not None:
        node.start()
    try:
        measure(arguments, node.url if node else None)
    finally:
        if node is not None:
            node.stop()


def measure(arguments: argparse.Namespace, broker: str | None) -> None:
    """Measure what was asked for."""
    kinds = [arguments.only] if arguments.only else ["idle", "hang_up", "say_goodbye", "server"]
    clients = arguments.clients
    if "idle" in kinds:
        results = [idle(clients, arguments.idle, broker) for _ in range(arguments.runs)]
        memory, cpu, connecting, idling = (list(each) for each in zip(*results, strict=True))
        show("memory for each idle connection", "KiB", memory)
        show("CPU from accepting to answered subscription", "us", cpu)
        show("longest turn while they connect", "ms", connecting)
        show("longest turn while all are idle", "ms", idling)
    for how, name in (
        ("hang_up", "all sockets closed at once"),
        ("say_goodbye", "all clients send a Close at once"),
        ("server", "the server closes all and stops"),
    ):
        if how in kinds:
            turns = [depart(clients, how, broker) for _ in range(arguments.runs)]
            show(f"longest turn, {name}", "ms", [clock for clock, _ in turns])
            show("  the same in CPU", "ms", [cpu for _, cpu in turns])


if __name__ == "__main__":
    main()
