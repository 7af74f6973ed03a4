"""What the tests of `towerws.notify` with real peers share."""

import time
from collections.abc import Callable
from typing import Any

import pika

#: How much longer than its timeout an emit may take here, in seconds: two busy cores.
TOLERANCE = 1.0


class Listener:
    """A queue of its own at the broker, bound to all groups."""

    def __init__(self, url: str, **arguments: object) -> None:
        """Declare and bind the queue, and the exchange as the server does.

        Args:
            url: The broker's.
            arguments: Of the queue, with ``_`` for ``-``.
        """
        parameters = pika.URLParameters(url)
        parameters.blocked_connection_timeout = 10
        self._connection = pika.BlockingConnection(parameters)
        self.channel = self._connection.channel()
        self.channel.exchange_declare("towerws.events", "topic", durable=True)
        queue = self.channel.queue_declare(
            "",
            exclusive=True,
            arguments={name.replace("_", "-"): value for name, value in arguments.items()},
        )
        self.queue: str = queue.method.queue
        self.channel.queue_bind(self.queue, "towerws.events", "#")

    def receive(self, count: int, timeout: float = 10.0) -> list[tuple[Any, Any, bytes]]:
        """Take events from the queue.

        Args:
            count: How many are expected.
            timeout: The longest wait for one more, in seconds.

        Returns:
            Delivery, properties and body of each; fewer than expected if no more came.
        """
        events: list[tuple[Any, Any, bytes]] = []
        found = self.channel.consume(self.queue, auto_ack=True, inactivity_timeout=timeout)
        while len(events) < count:
            event = next(found)
            if event[0] is None:
                break
            events.append(event)
        self.channel.cancel()
        return events

    def close(self) -> None:
        """Close the connection, which removes the queue; no matter if it is lost already."""
        if self._connection.is_open:
            self._connection.close()


def bounded(timeout: float, emit: Callable[[], None]) -> None:
    """Call a function, and fail if it takes much longer than a timeout."""
    started = time.monotonic()
    try:
        emit()
    finally:
        taken = time.monotonic() - started
        if taken > timeout + TOLERANCE:
            raise AssertionError(f"took {taken:.1f} s instead of {timeout:g} s")
