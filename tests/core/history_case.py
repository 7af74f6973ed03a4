"""What the tests of `towerws.core.history` have in common."""

from collections.abc import Collection

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.hubs import PROCESS
from tests.metrics import read_sample
from towerws.core.event import Event
from towerws.core.history import Bounds, History, Kind
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions, Positions


class HistoryCase(SynchronousTestCase):
    """A history, and what is asked of it most."""

    def make(
        self, positions: Positions, bounds: Bounds | None = None, *, is_partial: bool = False
    ) -> History:
        """Begin without events."""
        self.clock = Clock()
        self.metrics = Metrics()
        return History(
            positions, bounds or Bounds(), self.metrics, self.clock.seconds, is_partial=is_partial
        )

    def local(self, bounds: Bounds | None = None, *, is_partial: bool = False) -> History:
        """Make one of a process's own."""
        self.positions = LocalPositions(PROCESS)
        return self.make(self.positions, bounds, is_partial=is_partial)

    def publish(self, history: History, groups: str, size: int = 2) -> None:
        """Append an event for each letter, in a batch of its own, numbered by the process."""
        for group in groups:
            event = Event(group, b"x" * size, self.positions.next())
            history.append([(group, [event])])

    def offsets(self, history: History, since: str, groups: Collection[str]) -> list[int] | str:
        """Give what is resumed with, or else why not."""
        start = history.start(since, groups)
        if start.kind is not Kind.MEMORY:
            self.assertTrue(start.why)
            return str(start.kind.value)
        self.assertTrue(history.covers(start.offset, groups))
        missed: list[Event] = history.read(start.offset, groups, 1 << 20)
        return [event.offset for event in missed]

    def evicted(self, cause: str) -> float:
        """Tell how many events were forgotten for a cause."""
        return read_sample(self.metrics, f'towerws_history_evicted_total{{cause="{cause}"}}')
