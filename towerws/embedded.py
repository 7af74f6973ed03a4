"""The event source without a broker: what comes in over HTTP goes straight to the hub.

The default when no broker is configured, and enough for one machine. `towerws.operations` serves
the HTTP side.
"""

from collections.abc import Callable, Collection, Hashable

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from towerws.core.event import Event
from towerws.core.hub import Hub
from towerws.core.revocation import Revocation
from towerws.revocations import Revocations


class EmbeddedSource(Service):
    """Delivers within the process; every interest is in force at once."""

    name = "embedded source"

    def __init__(self, hub: Hub, revocations: Revocations, next_offset: Callable[[], int]) -> None:
        """Prepare the source.

        Args:
            hub: Takes the events.
            revocations: Takes those.
            next_offset: Numbers the events; see `towerws.core.positions.LocalPositions.next`.
        """
        self._hub = hub
        self._next_offset = next_offset
        self._revocations = revocations

    def stopService(self) -> Deferred[None]:
        """Stop; nothing is left to be done.

        Returns:
            Fires at once, as that of every source fires some time.
        """
        super().stopService()
        return succeed(None)

    def drain(self) -> Deferred[None]:
        """Hand on what has come; nothing waits here.

        Returns:
            Fires at once, as that of every source fires some time.
        """
        return succeed(None)

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Nothing to do: everything that is emitted here is here already."""

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back at once; see `towerws.core.hub.EventSource`."""
        callback()

    def forget(self, waiter: Hashable) -> None:
        """Nothing to do: nobody ever waits."""

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """Deliver an event; see `towerws.operations.publishing.Emitter`.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            Fires at once with ``{"connections": <how many it reached>}``.
        """
        event = Event(group, payload, self._next_offset())
        return succeed({"connections": self._hub.publish([event])})

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """Take access away; see `towerws.operations.publishing.Emitter`.

        Args:
            revocation: Who may hear less.

        Returns:
            Fires at once with ``{"connections": <how many it concerned>}``.
        """
        return succeed({"connections": self._revocations.apply(revocation)})

    def unready(self) -> str | None:
        """Give the reason for not being ready: there is none."""
        return None
