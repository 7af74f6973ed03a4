"""Events that can be told apart on the wire of any server, and the account of their deliveries."""

import random
import time
from array import array
from collections import Counter
from collections.abc import Sequence

from benchmarks.rivals import Publication

#: Stands before the time at which an event was published, whatever a server wraps around it.
_MARK = b"~sent:"
_DIGITS = 19
_OFFSET = len(_MARK)

_WORDS = (
    *("ok", "changed", "skipped", "unreachable", "failed", "rescued", "TASK", "PLAY", "RECAP"),
    *("ansible.builtin.copy", "ansible.builtin.template", "web01.example.org", "db02.example.org"),
)


def padding(size: int) -> bytes:
    """Make text that looks, and compresses, like what a job prints.

    Args:
        size: Its length in bytes.
    """
    choose = random.Random(size)  # noqa: S311  # the same text in each run
    words: list[str] = []
    length = 0
    while length < size:
        words.append(f"{choose.choice(_WORDS)}={choose.randrange(1000)}")
        length += len(words[-1]) + 1
    return " ".join(words)[:size].encode()


class Ledger:
    """What was published in a run, and what of it has arrived.

    Attributes:
        published: Events so far.
        received: Deliveries so far.
        foreign: Deliveries of what was not published, or before what came earlier, or twice.
        latencies: Nanoseconds from before an event was published until the kernel had it for the
            client.
        delays: Nanoseconds from before it was published until the client had read it.
    """

    def __init__(self, members: Sequence[int], size: int) -> None:
        """Start an account.

        Args:
            members: The number of subscribers by group.
            size: Bytes of an event's payload.
        """
        self.published = 0
        self.received = 0
        self.foreign = 0
        self.latencies = array("q")
        self.delays = array("q")
        self._members = members
        self._events: Counter[int] = Counter()
        self._counts: Counter[int] = Counter()
        self._last: dict[int, bytes] = {}
        self._sent: dict[bytes, int] = {}
        self._latest = 0
        head, self._tail = b'{"job": 42, "stdout": "' + _MARK, b'"}'
        self._head = head
        self._padding = padding(size - len(head) - _DIGITS - len(self._tail))

    def publication(self, group: int) -> Publication:
        """Make an event that is to be published at once.

        Args:
            group: The group's number.
        """
        self._latest = sent = max(time.time_ns(), self._latest + 1)
        stamp = b"%d" % sent
        self._sent[stamp] = sent
        self._events[group] += 1
        self.published += 1
        return Publication(group, self._head + stamp + self._padding + self._tail)

    def take(self, fd: int, data: bytes, start: int, arrived: int, read: int) -> None:
        """Note the delivery of one message.

        Args:
            fd: The connection.
            data: What was received: the whole message, perhaps more behind it.
            start: Where the message begins.
            arrived: When the kernel had it, in nanoseconds since the epoch.
            read: When the client read it.
        """
        at = data.find(_MARK, start) + _OFFSET
        stamp = data[at : at + _DIGITS]
        sent = self._sent.get(stamp)
        if sent is None or stamp <= self._last.get(fd, b""):
            self.foreign += 1
            return
        self._last[fd] = stamp
        self._counts[fd] += 1
        self.received += 1
        self.latencies.append(arrived - sent)
        self.delays.append(read - sent)

    @property
    def expected(self) -> int:
        """Deliveries that what was published makes."""
        return sum(count * self._members[group] for group, count in self._events.items())

    def lost(self, groups: Sequence[tuple[int, int]]) -> int:
        """Count what did not arrive, connection by connection.

        Args:
            groups: Each connection and its group.
        """
        return sum(max(0, self._events[group] - self._counts[fd]) for fd, group in groups)
