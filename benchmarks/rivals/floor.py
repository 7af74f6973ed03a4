"""The floor: a C program that does nothing but send."""

import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks import websocket
from benchmarks.child import Child
from benchmarks.measure import SERVER_CORE, on_core
from benchmarks.publishers import FloorPublisher
from benchmarks.rivals import WORKS, Publisher, Step, Unavailable
from benchmarks.rivals.one_child import OneChild
from tests.integration.loopback import free_ports, listens

_SOURCE = Path(__file__).with_name("floor.c")


class Floor(OneChild):
    """`floor.c`, compiled when it starts."""

    pace = 20
    idle_connections = 10_000

    def __init__(self, *, coalesce: bool = False) -> None:
        """Choose ports.

        Args:
            coalesce: Send the events of one read in one write.
        """
        super().__init__()
        self.name = "C floor, one write per read" if coalesce else "C floor, one send per event"
        self.key = "floor-coalesced" if coalesce else "floor"
        self.way_in = "TCP; a burst is one write"
        self.port, self._event_port = free_ports(2)
        # A single event is the same work for both.
        self.works: Collection[str] = ("bursts",) if coalesce else WORKS
        self._arguments = ["coalesce"] if coalesce else []

    def start(self) -> None:
        """Compile it, and run it."""
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise Unavailable("there is no C compiler")
        self._child = Child(self.key)
        program = self._child.directory / "floor"
        subprocess.run(
            [compiler, "-O2", "-Wall", "-Wextra", "-o", program, _SOURCE], check=True, timeout=60
        )
        first, *_ = subprocess.check_output([compiler, "--version"], text=True).splitlines()
        self.version = f"{first}, -O2"
        with on_core(SERVER_CORE):
            self._child.start(
                [str(program), str(self.port), str(self._event_port), *self._arguments],
                ready=lambda: listens(self.port),
            )

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Subscribe by the path."""
        return [websocket.opening(self.port, f"/{group}")]

    def publisher(self) -> Publisher:
        """Connect to the port for events."""
        return FloorPublisher(self._event_port)
