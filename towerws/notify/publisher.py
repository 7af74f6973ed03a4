"""The publisher: settings, counters, log lines, and what to do about `fork`."""

import functools
import logging
import os
import weakref
from types import TracebackType
from typing import Any, Self

from towerws.core.groups import describe_bad_name, is_group_name
from towerws.notify.breaker import Breaker
from towerws.notify.connecting import DEFAULT_EXCHANGE, connector
from towerws.notify.encoder import encode
from towerws.notify.errors import Busy, EmitError, GroupNameError
from towerws.notify.sender import NotTried, Sender

_MAX_SHOWN_GROUP = 100

_logger = logging.getLogger("towerws.notify")


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
    When threads publish more than one connection carries, those that would have to wait for longer
    than three quarters of `timeout` drop their events (`Busy`); that is not held against the peer.

    No thread of its own sends in the background: under uWSGI, for one, such a thread would stand
    still between requests.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 2.0,
        exchange: str = DEFAULT_EXCHANGE,
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
        connect = connector(url, token, exchange)
        self._sender = Sender(connect, timeout, functools.partial(Breaker, pause, longest_pause))
        self._inherited: list[Sender] = []
        _publishers.add(self)

    @property
    def published(self) -> int:
        """How many events this process has published."""
        return self._sender.published

    @property
    def dropped(self) -> int:
        """How many events this process could not publish."""
        return self._sender.dropped

    def emit(self, group: str, payload: dict[str, Any], *, strict: bool = False) -> None:
        """Publish an event.

        Args:
            group: The group's name: 1 to 100 characters of ``A-Z a-z 0-9 _ . -``.
            payload: The event, a dictionary of what Django's JSON encoder writes.
            strict: Raise when the event cannot be sent, instead of logging that.

        Raises:
            EmitError: With ``strict``: the event was not sent.
        """
        sender = self._sender
        try:
            sender.send(_checked(group), encode(payload))
        except EmitError as error:
            dropped = sender.count_dropped()
            if strict:
                raise
            level, held_back = logging.WARNING, 0
            if isinstance(error, NotTried):
                # A line per event while nobody even tries would only bury the one that says why.
                level = logging.DEBUG
            elif isinstance(error, Busy):
                # When one event comes too late, hundreds do.
                permitted = sender.permit_busy_line()
                level = logging.DEBUG if permitted is None else logging.WARNING
                held_back = permitted or 0
            _logger.log(
                level,
                "event for group %r dropped: %s (%d dropped so far%s)",
                _shown(group),
                error,
                dropped,
                f"; {held_back} lines like this one held back" if held_back else "",
            )

    def close(self) -> None:
        """Close the connection; later events are dropped. Waits for other threads' emits."""
        self._sender.close()

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

    def _leave_to_parent(self) -> None:
        """Begin anew in a child process."""
        # Kept, for the socket of what is thrown away would be closed.
        self._inherited.append(self._sender)
        self._sender = self._sender.for_child()


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
