"""What one connection has not taken yet, within a budget.

Fan-out has no backpressure: the slowest of a thousand readers must not slow the others, so a reader
that falls behind is buffered up to its budget and then cut. What the kernel does not take of one
write stays with the transport, which is paused then; what comes meanwhile waits here.
"""

#: Default budget of one connection, in bytes. A job event is some hundred bytes: this is a
#: reader several thousand events behind.
DEFAULT_BUDGET = 1 << 20


class Outbox:
    """Frames that wait for one connection, in order.

    Attributes:
        size: How many bytes wait.
    """

    __slots__ = ("_budget", "_frames", "size")

    def __init__(self, budget: int = DEFAULT_BUDGET) -> None:
        """Start empty.

        Args:
            budget: How many bytes may wait.
        """
        self._budget = budget
        self._frames: list[bytes] = []
        self.size = 0

    def append(self, frames: bytes) -> bool:
        """Queue frames behind those that wait.

        The first is taken whatever its size, so that an event larger than the budget still reaches
        a reader that has nothing queued.

        Args:
            frames: Whole websocket frames; only a reference is kept.

        Returns:
            False if they are more than the budget allows. What was queued is gone then: a part
            must not look whole, and the reader is to be cut.
        """
        self._frames.append(frames)
        self.size += len(frames)
        if self.size > self._budget and len(self._frames) > 1:
            self.clear()
            return False
        return True

    def take(self, limit: int) -> bytes:
        """Take out the first of what waits.

        Args:
            limit: How many bytes; more if the first frames have more by themselves.

        Returns:
            Queued frames in order, as one piece; empty if none waits.
        """
        count = taken = 0
        for frames in self._frames:
            if count and taken + len(frames) > limit:
                break
            count += 1
            taken += len(frames)
        piece = b"".join(self._frames[:count])
        del self._frames[:count]
        self.size -= taken
        return piece

    def clear(self) -> None:
        """Forget what waits."""
        self._frames.clear()
        self.size = 0
