"""Stands in for a connection to the server or the broker."""

import time
from collections.abc import Callable
from typing import Any

from towerws.core.revocation import ROUTING_KEY, Revocation
from towerws.notify.errors import Unconfirmed


class FakeConnection:
    """A connection that takes everything, until it is given something to raise.

    Attributes:
        published: Group and body of what was published, and routing key and body of revocations.
        failure: Raised by `publish`, once.
        ended: How it was ended: ``"closed"`` or ``"abandoned"``.
        hold: Called by each `publish`; when it takes too long, the event is not confirmed in time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin open.

        Args:
            clock: Whose moments the deadlines are.
        """
        self._clock = clock
        self.published: list[tuple[str, bytes]] = []
        self.failure: BaseException | None = None
        self.ended: list[str] = []
        self.hold: Callable[[], object] = lambda: None

    def publish(self, group: str, body: bytes, deadline: float) -> None:
        """Take an event, or raise."""
        self.hold()
        if self._clock() >= deadline:
            raise Unconfirmed("no confirmation in time")
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.published.append((group, body))

    def revoke(self, revocation: Revocation, deadline: float) -> dict[str, Any]:
        """Take a revocation, or raise."""
        self.publish(ROUTING_KEY, revocation.encode(), deadline)
        return {"connections": 3}

    def close(self, deadline: float) -> None:
        """End in order."""
        self.ended.append("closed")

    def abandon(self) -> None:
        """End at once."""
        self.ended.append("abandoned")
