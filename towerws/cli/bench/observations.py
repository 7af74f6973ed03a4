"""What all connections of a load test see."""

from collections import Counter
from dataclasses import dataclass, field

from towerws.cli.bench.histogram import Histogram

#: How many different sentences are kept of one kind; they may be a server's, one for each frame.
_MAX_SENTENCES = 20

#: Longest sentence that is kept, in characters.
_MAX_LENGTH = 200

_OTHERS = "other reasons"


@dataclass(slots=True)
class Observations:
    """Counters and times; moments and durations are nanoseconds of `time.monotonic_ns`.

    Attributes:
        begin: Events that were published before this moment are the warm-up: counted, not timed.
        last: When the last timed event came.
        end: When publishing ended.
        latency: From publishing to receipt.
        opened: From the beginning of a connection until its websocket was open.
        subscribed: The same, until the server had promised that all events would come.
        failed: How many connections were never subscribed, by reason.
        lost: How many ended after that, by reason.
        errors: The server's frames with an error, by what they said.
        gaps: The server's frames that said that events may be missing, by why.
        surplus: How many frames were neither events of the test nor anything of the protocol.
    """

    begin: int = 0
    last: int = 0
    end: int = 0
    latency: Histogram = field(default_factory=Histogram)
    opened: Histogram = field(default_factory=Histogram)
    subscribed: Histogram = field(default_factory=Histogram)
    failed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    surplus: int = 0


def count(counter: Counter[str], sentence: str) -> None:
    """Count a sentence; only so many different ones are told apart.

    Args:
        counter: Where.
        sentence: What somebody said.
    """
    sentence = sentence[:_MAX_LENGTH]
    known = sentence in counter or len(counter) < _MAX_SENTENCES
    counter[sentence if known else _OTHERS] += 1
