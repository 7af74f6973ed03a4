"""A connection to RabbitMQ, by pika.

pika's `BlockingConnection` offers no time limit for what matters here: a publish under a memory
alarm and the wait for a confirm. This module drives pika's asynchronous `SelectConnection` instead,
one wait at a time, on an I/O loop that runs only meanwhile.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.exchange_type import ExchangeType

from towerws.core.revocation import ROUTING_KEY, Revocation
from towerws.notify.errors import ConnectionLost, Refused, Unconfirmed, Unreachable
from towerws.notify.network import remaining

#: How long pika may take to tear a connection down, in seconds; it waits for no peer.
_ABORT_TIMEOUT = 0.5

_TRANSIENT = 1

#: Reply codes with which RabbitMQ closes a channel because of one event: the user may not publish
#: to the group (topic permissions), the event is larger than ``max_message_size``.
_REFUSALS = frozenset({403, 406})

#: The reply code for an exchange that does not exist.
_NOT_FOUND = 404


class _NoExchange(Refused):
    """The exchange is not there any more."""


class AMQPConnection:
    """One connection with one channel in confirm mode. For one thread at a time."""

    def __init__(self, exchange: str) -> None:
        """Set up a connection that is not open yet.

        Args:
            exchange: Name of the topic exchange to publish to.
        """
        self._exchange = exchange
        self._loop = IOLoop()
        self._stream: pika.SelectConnection | None = None
        self._channel: Any = None
        #: What pika's callbacks reported in the present wait.
        self._reported: list[Any] = []
        #: How many events were sent on the channel: the delivery tag of the last one.
        self._sent = 0
        #: Whether the broker had no queue for the last revocation.
        self._returned = False
        #: Whether the channel has an event that was not confirmed in time.
        self._overdue = False
        #: Why the connection or its channel is closed.
        self._lost: BaseException | None = None
        #: Why the broker takes no events at the moment, in its own words.
        self._blocked: str | None = None
        self._properties = pika.BasicProperties(
            content_type="application/json", delivery_mode=_TRANSIENT
        )

    def open(self, parameters: pika.ConnectionParameters, deadline: float) -> None:
        """Connect, and make sure that the exchange is there.

        Args:
            parameters: Of one address of a broker.
            deadline: When to give up, as a moment of `time.monotonic`.

        Raises:
            Unreachable: That did not succeed, or not in time. Call `abandon` then.
        """
        with _translated(f"{parameters.host}:{parameters.port}"):
            self._stream = pika.SelectConnection(
                parameters,
                on_open_callback=self._report,
                on_open_error_callback=self._on_closed,
                on_close_callback=self._on_closed,
                custom_ioloop=self._loop,
            )
            self._wait(deadline)
            self._stream.add_on_connection_blocked_callback(self._on_blocked)
            self._stream.add_on_connection_unblocked_callback(self._on_unblocked)
            self._prepare_channel(deadline)

    def publish(self, group: str, body: bytes, deadline: float) -> None:
        """Publish an event, and wait until the broker has confirmed it.

        Args:
            group: The group's name, the routing key.
            body: JSON.
            deadline: When to give up, as a moment of `time.monotonic`.

        Raises:
            ConnectionLost: The connection is gone.
            Refused: The broker does not want the event.
            Unconfirmed: It was sent, and not confirmed in time. The next event can be published.
            Unreachable: It was not even sent in time.
        """
        with _translated("the broker"):
            try:
                confirm = self._send(group, body, deadline)
            except _NoExchange:
                # The second attempt declares it. The broker has thrown the event away.
                confirm = self._send(group, body, deadline)
        if not isinstance(confirm.method, pika.spec.Basic.Ack):
            raise Refused("the broker refused it")

    def revoke(self, revocation: Revocation, deadline: float) -> dict[str, Any]:
        """Publish a revocation to all nodes; fails as `publish` does, and if there are none.

        Args:
            revocation: Who may hear less.
            deadline: When to give up, as a moment of `time.monotonic`.

        Returns:
            ``{"confirmed": True}``, since the broker has it for somebody.
        """
        self._returned = False
        self.publish(ROUTING_KEY, revocation.encode(), deadline)
        if self._returned:
            raise Refused(f"no server hears the broker's exchange {self._exchange!r}")
        return {"confirmed": True}

    def close(self, deadline: float) -> None:
        """Take leave of the broker.

        Args:
            deadline: When to close without, as a moment of `time.monotonic`.
        """
        with contextlib.suppress(AMQPError, TimeoutError):
            if self._stream is not None and self._stream.is_open:
                self._stream.close()
                while not self._stream.is_closed:
                    self._run(deadline)
        self.abandon()

    def abandon(self) -> None:
        """Close the socket at once, whatever state all is in."""
        try:
            if self._stream is not None and not self._stream.is_closed:
                # Nothing public closes a connection, or ends an attempt, without waiting for the
                # broker. The callback for either follows.
                self._stream._terminate_stream(AMQPError("abandoned"))  # noqa: SLF001
                self._settle()
        finally:
            self._loop.close()

    def _send(self, group: str, body: bytes, deadline: float) -> Any:
        """Send an event, and wait for the frame that confirms or refuses it."""
        if not self._channel.is_open:
            # Closed by the broker with the refusal of the last event.
            self._lost = None
            self._prepare_channel(deadline)
        # pika would send without a look at the clock.
        remaining(deadline)
        self._reported.clear()
        self._sent += 1
        # Each server that hears the exchange is bound to revocations; events may have no listener.
        mandatory = group == ROUTING_KEY
        self._channel.basic_publish(self._exchange, group, body, self._properties, mandatory)
        try:
            return self._wait(deadline)
        except TimeoutError:
            self._overdue = True
            raise Unconfirmed(
                "the broker did not confirm it in time: it is not known whether it has it"
                if self._blocked is None
                else f"the broker takes no events at the moment: {self._blocked}"
            ) from None
        except ChannelClosedByBroker as error:
            if self._overdue:
                # Which event it is about is not known. The channel's later ones are lost.
                raise
            if error.reply_code == _NOT_FOUND:
                raise _NoExchange(_refusal(error)) from error
            if error.reply_code in _REFUSALS:
                raise Refused(_refusal(error)) from error
            raise

    def _prepare_channel(self, deadline: float) -> None:
        """Open a channel in confirm mode, and make sure that the exchange is there."""
        self._open_channel(deadline)
        self._declare(deadline)
        self._call(
            self._channel.confirm_delivery,
            deadline,
            ack_nack_callback=self._on_confirm,
            callback=self._report,
        )
        self._sent = 0
        self._overdue = False

    def _open_channel(self, deadline: float) -> None:
        assert self._stream is not None
        self._channel = self._call(self._stream.channel, deadline, on_open_callback=self._report)
        self._channel.add_on_close_callback(self._on_closed)
        self._channel.add_on_return_callback(self._on_returned)

    def _declare(self, deadline: float) -> None:
        # Asking whether it is there needs no permission to configure, and no agreement on its
        # properties. Only if it is not, because no server has run yet, it is declared as one would.
        options = {"exchange": self._exchange, "callback": self._report}
        try:
            self._call(self._channel.exchange_declare, deadline, passive=True, **options)
        except ChannelClosedByBroker:
            self._lost = None
            self._open_channel(deadline)
            options |= {"exchange_type": ExchangeType.topic, "durable": True}
            self._call(self._channel.exchange_declare, deadline, **options)

    def _call(self, method: Callable[..., Any], deadline: float, **options: Any) -> Any:
        """Call one of pika's methods, and wait for what it reports."""
        self._reported.clear()
        method(**options)
        return self._wait(deadline)

    def _wait(self, deadline: float) -> Any:
        """Run pika's loop until something was reported, or raise why there is no connection."""
        while not self._reported:
            if self._lost is not None:
                raise self._lost
            self._run(deadline)
        return self._reported[0]

    def _run(self, deadline: float) -> None:
        """Run pika's loop until one of the callbacks below stops it, or the time is over."""
        timer = self._loop.call_later(remaining(deadline), self._loop.stop)
        try:
            self._loop.start()
        finally:
            self._loop.remove_timeout(timer)

    def _settle(self) -> None:
        """Let pika tear the connection down; its callback ends the wait."""
        self._reported.clear()
        self._lost = None
        with contextlib.suppress(AMQPError, AMQPConnectorException, TimeoutError):
            self._wait(time.monotonic() + _ABORT_TIMEOUT)

    def _report(self, *results: Any) -> None:
        self._reported.append(results[0] if results else None)
        self._loop.stop()

    def _on_confirm(self, frame: Any) -> None:
        # An earlier event that was not confirmed in time may be by now. Of several that are
        # confirmed at once the tag is the last one's.
        if frame.method.delivery_tag == self._sent:
            self._report(frame)

    def _on_returned(self, *_: object) -> None:
        # It comes before the confirm.
        self._returned = True

    def _on_closed(self, _closed: object, reason: BaseException) -> None:
        self._lost = self._lost or reason
        self._loop.stop()

    def _on_blocked(self, _stream: object, frame: Any) -> None:
        self._blocked = str(frame.method.reason)

    def _on_unblocked(self, _stream: object, _frame: object) -> None:
        self._blocked = None


@contextlib.contextmanager
def _translated(peer: str) -> Iterator[None]:
    """Turn what pika and the system raise into our errors, about a peer."""
    try:
        yield
    except TimeoutError:
        raise Unreachable(f"{peer} did not answer in time") from None
    except (AMQPError, AMQPConnectorException, OSError) as error:
        raise ConnectionLost(f"{peer}: {_reason(error)}") from error


def _refusal(error: ChannelClosedByBroker) -> str:
    return f"the broker refused it: {error.reply_text}"


def _reason(error: BaseException) -> str:
    """Say in few words why a connection is closed or was not made."""
    # While connecting, pika wraps the cause once per layer, in several ways.
    while isinstance(error, (AMQPConnectorException, AMQPError)):
        inner = getattr(error, "exceptions", None) or [getattr(error, "exception", None)]
        cause = inner[-1] or (error.args[0] if error.args else None)
        if not isinstance(cause, BaseException):
            break
        error = cause
    words = getattr(error, "reply_text", None) or getattr(error, "strerror", None)
    return words or str(error) or type(error).__name__
