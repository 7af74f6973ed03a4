"""What stands for the clients when access is revoked."""

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle
from towerws.revocations import Revocations


class Revoking:
    """Takes revocations, and tells what a test says.

    Attributes:
        revocations: The real ones, for a source.
        asked: What was to be revoked, in order.
        concerned: From how many connections it is taken.
    """

    def __init__(self, metrics: Metrics | None = None, clock: IReactorTime | None = None) -> None:
        """Be asked nothing yet."""
        self.asked: list[Revocation] = []
        self.concerned = 0
        throttle = Throttle((clock or Clock()).seconds)
        self.revocations = Revocations(self._revoke, metrics or Metrics(), throttle)

    def _revoke(self, revocation: Revocation) -> int:
        self.asked.append(revocation)
        return self.concerned
