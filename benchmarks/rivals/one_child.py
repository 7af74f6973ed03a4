"""What servers have in common that are one process, with whatever it starts."""

from collections.abc import Sequence

from benchmarks.child import Child


class OneChild:
    """A server that is a child of ours, and needs no broker.

    Attributes:
        version: What it is made of, once it was started.
    """

    broker_counts = False
    broker: Sequence[int] = ()

    def __init__(self) -> None:
        """Start nothing yet."""
        self.version = ""
        self._child: Child | None = None

    @property
    def server(self) -> Sequence[int]:
        """The process, and by it those that it has started."""
        assert self._child is not None
        return [self._child.pid]

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop()
            self._child = None
