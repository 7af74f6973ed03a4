"""The publisher: one connection per process, kept, shared by all threads, bounded in time."""

import functools
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from towerws.core.broker_url import BrokerURL
from towerws.core.groups import describe_bad_name, is_group_name
from towerws.notify.breaker import Breaker
from towerws.notify.encoder import encode
from towerws.notify.errors import (
    ConnectionLost,
    EmitError,
    GroupNameError,
    Refused,
    Unreachable,
)
from towerws.notify.http import HTTPConnector, Site

#: The embedded server's operators' site on this machine.
DEFAULT_URL = "http://127.0.0.1:8052"

_MAX_SHOWN_GROUP = 100

_logger = logging.getLogger("towerws.notify")


class Connection(Protocol):
    """A connection to the server or the broker. Deadlines are moments of `time.monotonic`."""

    def publish(self, group: str, body: bytes, deadline: float) -> None:
        """Publish an event and wait for the confirmation; raises an `EmitError`."""
        ...

    def close(self, deadline: float) -> None:
        """Take leave of the peer, and close."""
        ...

    def abandon(self) -> None:
        """Close at once."""
        ...


class _NotTried(Unreachable):
    """Nobody tried to send the event: the breaker is open."""


class _ProcessState:
    """What belongs to one process, and must not be used by its children."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        #: Held by whoever uses the connection.
        self.lock = threading.Lock()
        self.connection: Connection | None = None
        #: Held for the moment that it takes to count.
        self.counting = threading.Lock()
        self.published = 0
        self.dropped = 0

    def discard(self) -> None:
        """Close the connection without a word: its state is not known."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()


class Publisher:
    """Publishes events.

    Threads share one connection, one event at a time: a web server with twenty threads in each of
    eight processes holds eight connections, not 160, and events of one process keep their order.
    A child made by ``fork`` opens its own; it neither uses nor closes its parent's.

    An emit takes about as long as the network's round trip, and never longer than `timeout`, give
    or take the half second that closing a connection may need: the wait for other threads, the
    resolver, TCP, TLS, a broker that is short of memory and takes no events, all are within it.
    A connection that turns out to be gone is replaced once; the event is published twice if
    the old one had taken it without telling. When the server cannot be reached, further events
    are dropped at once for `pause` seconds, then for twice as long, up to `longest_pause`.

    No thread of its own sends in the background: under uWSGI, for one, such a thread would stand
    still between requests.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 2.0,
        exchange: str = "towerws.events",
        pause: float = 1.0,
        longest_pause: float = 30.0,
    ) -> None:
        """Set up a publisher; it connects when the first event is published.

        Args:
            url: Where to publish; ``TOWERWS_URL`` if ``None``, and without that
                ``http://127.0.0.1:8052``. ``amqp://`` and ``amqps://`` (see
                `towerws.core.broker_url`) for RabbitMQ; ``http://``, ``https://``,
                ``unix:///run/towerws.sock`` or ``http+unix://%2Frun%2Ftowerws.sock`` for a server.
            token: The bearer token of the server's operators' site; ``TOWERWS_TOKEN`` if ``None``.
            timeout: The longest that an emit may take, in seconds.
            exchange: Name of the broker's topic exchange.
            pause: How long to drop events at once after a failure, in seconds; 0 to always try.
            longest_pause: What that time doubles up to, in seconds.

        Raises:
            ValueError: The URL, the token or a number cannot be; the text has no secrets.
            OSError: A certificate cannot be read (`ssl.SSLError`: cannot be used).
        """
        if not timeout > 0 or not 0 <= pause <= longest_pause:
            raise ValueError("timeout must be above 0, and pause from 0 to longest_pause")
        self._connect = _connector(
            url or os.environ.get("TOWERWS_URL") or DEFAULT_URL,
            token or os.environ.get("TOWERWS_TOKEN", "").strip() or None,
            exchange,
        )
        self._timeout = timeout
        self._new_breaker = functools.partial(Breaker, pause, longest_pause)
        self._state = _ProcessState(self._new_breaker())
        self._inherited: list[_ProcessState] = []
        self._closed = False
        _publishers.add(self)

    @property
    def published(self) -> int:
        """How many events this process has published."""
        return self._state.published

    @property
    def dropped(self) -> int:
        """How many events this process could not publish."""
        return self._state.dropped

    def emit(self, group: str, payload: dict[str, Any], *, strict: bool = False) -> None:
        """Publish an event.

        Args:
            group: The group's name: 1 to 100 characters of ``A-Z a-z 0-9 _ . -``.
            payload: The event, a dictionary of what Django's JSON encoder writes.
            strict: Raise when the event cannot be sent, instead of logging that.

        Raises:
            EmitError: With ``strict``: the event was not sent.
        """
        state = self._state
        try:
            self._send(state, _checked(group), encode(payload))
        except EmitError as error:
            with state.counting:
                state.dropped += 1
            if strict:
                raise
            # A line per event while nobody even tries would only bury the one that says why.
            level = logging.DEBUG if isinstance(error, _NotTried) else logging.WARNING
            _logger.log(
                level,
                "event for group %r dropped: %s (%d dropped so far)",
                _shown(group),
                error,
                state.dropped,
            )
        else:
            with state.counting:
                state.published += 1

    def close(self) -> None:
        """Close the connection; later events are dropped. Waits for other threads' emits."""
        self._closed = True
        state = self._state
        # By then every emit that began before is over: see the class about the half second.
        if state.lock.acquire(timeout=self._timeout + 1.0):
            try:
                connection, state.connection = state.connection, None
                if connection is not None:
                    connection.close(time.monotonic() + self._timeout)
            finally:
                state.lock.release()

    def __enter__(self) -> Self:
        """Give the publisher itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _send(self, state: _ProcessState, name: str, body: bytes) -> None:
        deadline = time.monotonic() + self._timeout
        self._raise_if_pointless(state)
        # After a failure one thread tries whether all is well again; the others do not wait.
        patience = 0.0 if state.breaker.tripped else self._timeout
        if not state.lock.acquire(timeout=patience):
            raise _NotTried("another thread is still trying to publish")
        try:
            self._raise_if_pointless(state)
            recovered = state.breaker.tripped
            self._deliver(state, name, body, deadline)
        except Unreachable as error:
            if not isinstance(error, _NotTried):
                state.breaker.failed()
            raise
        except Refused:
            state.breaker.succeeded()
            raise
        else:
            state.breaker.succeeded()
        finally:
            state.lock.release()
        if recovered:
            _logger.warning("publishing again (%d events dropped so far)", state.dropped)

    def _raise_if_pointless(self, state: _ProcessState) -> None:
        """Raise if an attempt to publish would have no chance."""
        if self._closed:
            raise EmitError("the publisher is closed")
        wait = state.breaker.wait()
        if wait:
            raise _NotTried(f"the last attempt failed; the next one is made in {wait:.1f} s")

    def _deliver(self, state: _ProcessState, name: str, body: bytes, deadline: float) -> None:
        reused = state.connection
        try:
            if state.connection is None:
                state.connection = self._connect(deadline)
            state.connection.publish(name, body, deadline)
        except Refused:
            raise
        except BaseException as error:
            # Whatever it was, a Celery time limit, say: nobody knows what is half sent now.
            state.discard()
            if reused is None or not isinstance(error, ConnectionLost):
                raise
        else:
            return
        self._deliver(state, name, body, deadline)

    def _leave_to_parent(self) -> None:
        """Begin anew in a child process, with a free lock and no connection."""
        # Kept, for the socket of what is thrown away would be closed.
        self._inherited.append(self._state)
        self._state = _ProcessState(self._new_breaker())


_publishers: "weakref.WeakSet[Publisher]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for publisher in list(_publishers):
        publisher._leave_to_parent()  # noqa: SLF001  # the same class's business


os.register_at_fork(after_in_child=_after_fork_in_child)


def _checked(group: object) -> str:
    """Give a group's name as a plain text, or raise."""
    if not isinstance(group, str):
        raise GroupNameError(f"the group's name is not a text but of type {type(group).__name__}")
    if not is_group_name(group):
        raise GroupNameError(describe_bad_name(group))
    # A member of an enumeration of texts would format as `Group.JOBS` in a path.
    return str.__str__(group)


def _shown(group: object) -> str:
    """Give what a log may hold of a group that is perhaps none."""
    return group[:_MAX_SHOWN_GROUP] if isinstance(group, str) else type(group).__name__


def _connector(url: str, token: str | None, exchange: str) -> Callable[[float], Connection]:
    if url.strip().lower().startswith(("amqp:", "amqps:")):
        broker = BrokerURL.parse(url)
        # A backend that publishes over HTTP need not have pika, nor load it.
        from towerws.notify.amqp import AMQPConnector  # noqa: PLC0415

        return AMQPConnector(broker, exchange)
    return HTTPConnector(Site.parse(url), token)
