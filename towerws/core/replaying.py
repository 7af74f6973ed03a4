"""What replays have in common: what they ask of a client, and what they count."""

from collections.abc import Callable
from typing import Protocol

from towerws.core.metrics import Metrics
from towerws.core.profile import Client


class ReplayingClient(Client, Protocol):
    """What is asked of a client that is brought to the present."""

    def hold(self) -> None:
        """Drop what the hub gives from now on."""

    def release(self) -> None:
        """Take what the hub gives again."""

    @property
    def has_room(self) -> bool:
        """Whether everything that was sent has left; if not, `Profile.drained` will be called."""

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames behind everything that was sent before."""

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call in a turn of the reactor to come, unless the client is gone by then."""


class ReplayCounters:
    """What replays count, shared by all of them."""

    def __init__(self, metrics: Metrics) -> None:
        """Register the counters.

        Args:
            metrics: Where they are shown.
        """
        name, text = "towerws_resumes_total", "Clients that came back with a position, by result."
        self.memory = metrics.counter(name, text, result="memory")
        self.archive = metrics.counter(name, text, result="archive")
        self.refused = metrics.counter(name, text, result="refused")
        self.overtaken = metrics.counter(
            "towerws_replays_overtaken_total",
            "Times that the history forgot too fast for a replay, and the archive was asked again.",
        )
        self.cut_short = metrics.counter(
            "towerws_replays_cut_short_total",
            "Replays that ended in a gap: there was one, or the history forgot too fast for them.",
        )
        self.events = metrics.counter("towerws_replayed_events_total", "Events that were replayed.")
