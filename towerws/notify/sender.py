"""Sending: one connection per process, kept, shared by all its threads."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle
from towerws.notify.breaker import Breaker
from towerws.notify.errors import (
    Busy,
    ConnectionLost,
    EmitError,
    Refused,
    Unconfirmed,
    Unreachable,
)

#: The part of the time limit that an event may spend on waiting for other threads' events. What is
#: left is its own: of 2 s half a second, in which a healthy peer answers many times over.
_PATIENCE = 0.75

_logger = logging.getLogger("towerws.notify")


class Connection(Protocol):
    """A connection to the server or the broker. Deadlines are moments of `time.monotonic`."""

    def publish(self, group: str, body: bytes, deadline: float) -> None:
        """Publish an event and wait for the confirmation; raises an `EmitError`."""
        ...

    def revoke(self, revocation: Revocation, deadline: float) -> dict[str, Any]:
        """Publish a revocation, and tell what became of it; raises an `EmitError`."""
        ...

    def close(self, deadline: float) -> None:
        """Take leave of the peer, and close."""
        ...

    def abandon(self) -> None:
        """Close at once."""
        ...


class NotTried(Unreachable):
    """Nobody tried to send the event, because the last attempt failed."""


class Sender:
    """Sends the events of one process; a child of the process needs one of its own.

    Attributes:
        published: How many events were published.
        dropped: How many events were counted as dropped.
    """

    def __init__(
        self,
        connect: Callable[[float], Connection],
        timeout: float,
        new_breaker: Callable[[], Breaker],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up a sender that has no connection yet.

        Args:
            connect: Makes a connection until a moment of `time.monotonic`, or raises `Unreachable`.
            timeout: The longest that sending an event may take, in seconds.
            new_breaker: Makes a circuit breaker, closed.
            clock: Monotonic time in seconds.
        """
        self._connect = connect
        self._timeout = timeout
        #: The longest wait for other threads, in seconds. As long a silence of the peer is a
        #: failure: one call finds out if it had its time to itself, otherwise several together.
        self._patience = timeout * _PATIENCE
        self._new_breaker = new_breaker
        self._clock = clock
        self._breaker = new_breaker()
        #: Held by whoever uses the connection.
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False
        #: How long the peer was waited for in vain since it last answered, in seconds.
        self._silence = 0.0
        #: Held for the moment that it takes to count; reentrant, for a signal may interrupt that
        #: moment, and its function may emit.
        self._counting = threading.RLock()
        self._busy_lines = Throttle(clock)
        self._callers = 0
        self.published = 0
        self.dropped = 0

    def for_child(self) -> Self:
        """Make what a forked child uses: the same settings, a free lock, and no connection."""
        child = type(self)(self._connect, self._timeout, self._new_breaker, self._clock)
        if self._closed:
            child.close()
        return child

    def send(self, group: str, body: bytes) -> None:
        """Send an event, and wait until it is confirmed.

        Args:
            group: The group's name.
            body: JSON.

        Raises:
            EmitError: It was not sent, or not confirmed in time.
        """
        with self._counting:
            self._callers += 1
        try:
            self._take_turn(group, body)
        finally:
            with self._counting:
                self._callers -= 1
        with self._counting:
            self.published += 1

    def count_dropped(self) -> int:
        """Count a dropped event; tells how many there are by now."""
        with self._counting:
            self.dropped += 1
            return self.dropped

    def permit_busy_line(self) -> int | None:
        """Ask whether to log a `Busy`: ``None``, or how many were held back since the last."""
        with self._counting:
            return self._busy_lines.permit("busy")

    def close(self) -> None:
        """Close the connection; later events are refused. Waits for other threads' events."""
        self._closed = True
        # By then every event that began before is over: closing a connection may take half a
        # second more than the time limit.
        if self._lock.acquire(timeout=self._timeout + 1.0):
            try:
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.close(self._clock() + self._timeout)
            finally:
                self._lock.release()

    def _take_turn(self, group: str, body: bytes) -> None:
        """Send an event when no other thread does, if that is soon enough."""
        deadline = self._clock() + self._timeout
        self._raise_if_pointless()
        # After a failure one thread tries whether all is well again; the others do not wait.
        patience = 0.0 if self._breaker.tripped else self._patience
        if not self._lock.acquire(timeout=patience):
            self._raise_if_pointless()
            if self._breaker.tripped:
                raise NotTried("another thread is finding out whether the peer is back")
            others = max(1, self._callers - 1)
            threads = "threads are" if others > 1 else "thread is"
            raise Busy(f"{others} other {threads} publishing, and left no time for this event")
        try:
            self._raise_if_pointless()
            recovered = self._breaker.tripped
            self._attempt(group, body, deadline)
        finally:
            self._lock.release()
        if recovered:
            _logger.warning("publishing again (%d events dropped so far)", self.dropped)

    def _raise_if_pointless(self) -> None:
        """Raise if an attempt to send would have no chance."""
        if self._closed:
            raise EmitError("the publisher is closed")
        wait = self._breaker.wait()
        if wait:
            raise NotTried(f"the last attempt failed; the next one is made in {wait:.1f} s")

    def _attempt(self, group: str, body: bytes, deadline: float) -> None:
        """Send an event, and draw conclusions about the peer."""
        started = self._clock()
        try:
            self._deliver(group, body, deadline)
        except Unreachable:
            now = self._clock()
            if now >= deadline:
                # The time before that went to other threads, for which the peer is not to blame.
                self._silence += now - started
                if self._silence < self._patience:
                    raise
            self._discard()
            self._breaker.failed()
            raise
        except Refused:
            self._answered()
            raise
        self._answered()

    def _answered(self) -> None:
        self._silence = 0.0
        self._breaker.succeeded()

    def _deliver(self, group: str, body: bytes, deadline: float) -> None:
        """Send an event; a kept connection that is lost is replaced once."""
        reused = self._connection
        try:
            if self._connection is None:
                self._connection = self._connect(deadline)
            self._connection.publish(group, body, deadline)
        except (Refused, Unconfirmed):
            # The connection is as good as before.
            raise
        except BaseException as error:
            # Whatever it was, a Celery time limit, say: nobody knows what is half sent now.
            self._discard()
            if reused is None or not isinstance(error, ConnectionLost):
                raise
        else:
            return
        self._deliver(group, body, deadline)

    def _discard(self) -> None:
        """Close the connection without a word: its state is not known."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()
