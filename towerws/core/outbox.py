"""What one connection has not taken yet, within a budget.

Fan-out has no backpressure: the slowest of a thousand readers must not slow the others, so a reader
that falls behind is buffered up to its budget and then cut. The transport buffers first (Twisted
pauses its producer above 64 KiB); what comes while it is paused waits here.
"""

#: Default budget of one connection, in bytes. A job event is some hundred bytes: this is a
#: reader several thousand events behind.
DEFAULT_BUDGET = 1 << 20


class Outbox:
    """Frames on their way to one connection, in order.

    Attributes:
        overflowed: True once the budget was exceeded while the reader was behind. What was
            queued is gone then, and nothing is accepted any more: the reader is to be cut.
    """

    __slots__ = ("_budget", "_frames", "_paused", "_size", "overflowed")

    def __init__(self, budget: int = DEFAULT_BUDGET) -> None:
        """Start empty.

        Args:
            budget: How many bytes may wait while the transport is paused.
        """
        self._budget = budget
        self._frames: list[bytes] = []
        self._size = 0
        self._paused = False
        self.overflowed = False

    def append(self, frame: bytes) -> None:
        """Queue a frame.

        A frame is taken whatever its size while the transport takes data, so that an event
        larger than the budget still reaches a reader that keeps up.

        Args:
            frame: A whole websocket frame; only a reference is kept.
        """
        if self.overflowed:
            return
        self._frames.append(frame)
        self._size += len(frame)
        if self._paused and self._size > self._budget:
            self.overflowed = True
            self._frames.clear()
            self._size = 0

    def take(self) -> bytes:
        """Take out what the transport may have now.

        Returns:
            The queued frames in order, as one piece; empty while the transport is paused.
        """
        if self._paused or not self._frames:
            return b""
        taken = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames.clear()
        self._size = 0
        return taken

    def pause(self) -> None:
        """Hold everything back: the transport has enough. Calling it again changes nothing."""
        self._paused = True

    def resume(self) -> None:
        """Let `take` give frames again: the transport has drained."""
        self._paused = False

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._size
