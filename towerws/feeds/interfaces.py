"""The seam between the bridge, which has the connection, and what is done with it."""

from collections.abc import Callable, Collection, Hashable
from typing import Protocol

from towerws.amqp.client import Client
from towerws.amqp.deliveries import Delivery


class Feed(Protocol):
    """Brings events by one connection after the other; the bridge opens them.

    For each connection: `begin`; then `serving`, unless it failed; then `lost`, in any case. There
    is one connection at a time. Between `begin` and `lost` come deliveries. Why a connection was
    lost is in its `Client.lost`.
    """

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Take note of who listens; see `towerws.core.hub.EventSource`."""

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back when these groups come; see `towerws.core.hub.EventSource`."""

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more; see `towerws.core.hub.EventSource`."""

    async def begin(self, client: Client) -> None:
        """Have events come by a new connection: declare, bind, consume.

        Args:
            client: The connection; kept until `lost`. Whoever calls ends it if this fails or is
                cancelled.

        Raises:
            AMQPError: The broker refused something, or the connection was lost.
        """

    def serving(self) -> None:
        """Promise events from now on: the bridge is ready, right after `begin`.

        If there is a gap, it is told before any promise is made: who gets the first one then has
        missed nothing.
        """

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Take what the connection brought.

        Args:
            deliveries: All of one read, in order; of any of the feed's channels on it.
        """

    def lost(self) -> None:
        """Take note that the connection is gone, whether or not it came into service."""

    async def drain(self) -> None:
        """Consume no more: hand on and acknowledge what has come. Takes a bounded time.

        Never raises an `AMQPError`; at once if there is no connection. The bridge closes it next.
        """
