"""Published messages that wait for the broker's word (RabbitMQ's publisher confirms)."""

from dataclasses import dataclass
from itertools import takewhile

from twisted.internet.defer import Deferred

from towerws.amqp.deadline import ReplyDeadline
from towerws.amqp.errors import AMQPError, ProtocolViolation, PublishOverflow, PublishRefused


@dataclass(frozen=True, slots=True)
class ConfirmLimits:
    """How much may wait for confirmation on one channel.

    Attributes:
        messages: Number of messages. A broker nearby confirms within a few milliseconds: when a
            thousand wait, it is stuck.
        size: Sum of their bodies in bytes, all of which may sit in our memory while it is.
    """

    messages: int = 1000
    size: int = 64 * 1024 * 1024


class Confirms:
    """The unconfirmed messages of one channel, in the order they were sent."""

    def __init__(self, limits: ConfirmLimits, deadline: ReplyDeadline) -> None:
        """Wait for nothing yet.

        Args:
            limits: When to refuse more.
            deadline: Told what is owed; expires when the broker confirms nothing any more.
        """
        self._limits = limits
        self._deadline = deadline
        #: Size and Deferred by number; those given up have no Deferred, but are still under way.
        self._waiting: dict[int, tuple[int, Deferred[None] | None]] = {}
        self._size = 0
        self._last_tag = 0

    def check(self, size: int) -> None:
        """See whether one more may be sent.

        Args:
            size: Length of its body in bytes.

        Raises:
            PublishOverflow: It may not.
        """
        limits = self._limits
        if len(self._waiting) >= limits.messages or self._size + size > limits.size:
            raise PublishOverflow(
                f"nothing was sent: {len(self._waiting)} messages of {self._size} bytes wait for"
                f" confirmation by the broker; the limits are {limits.messages} and {limits.size}"
            )

    def add(self, size: int) -> Deferred[None]:
        """Note that one was sent.

        Args:
            size: Length of its body in bytes.

        Returns:
            Fires with the broker's confirmation.
        """
        self._last_tag += 1
        self._size += size
        confirmed: Deferred[None] = Deferred()
        self._waiting[self._last_tag] = (size, confirmed)
        self._deadline.expect()
        return confirmed

    def settle(self, tag: int, *, multiple: bool, refused: bool) -> None:
        """Take a ``basic.ack`` or ``basic.nack``.

        Args:
            tag: The message's number on the channel; with ``multiple``, 0 stands for the last one.
            multiple: Whether all before it are meant as well.
            refused: Whether the broker could not take them.

        Raises:
            ProtocolViolation: Such a message does not wait.
        """
        if multiple:
            tags = [*takewhile(lambda waiting: tag == 0 or waiting <= tag, self._waiting)]
        else:
            tags = [tag] if tag in self._waiting else []
        if not tags:
            raise ProtocolViolation(f"the broker confirmed a message {tag} that does not wait")
        settled = [self._waiting.pop(each) for each in tags]
        self._size -= sum(size for size, _ in settled)
        self._deadline.progress(outstanding=bool(self._waiting))
        for _, confirmed in settled:
            if confirmed is None:
                continue
            if refused:
                confirmed.errback(PublishRefused("the broker could not take the message"))
            else:
                confirmed.callback(None)

    def give_up(self, reason: AMQPError) -> None:
        """Tell those who wait that it would take long, while the messages stay under way.

        They count against the limits until the broker confirms them, and it may take its time.

        Args:
            reason: Why.
        """
        self._deadline.cancel()
        given_up = [confirmed for _, confirmed in self._waiting.values() if confirmed is not None]
        self._waiting = {tag: (size, None) for tag, (size, _) in self._waiting.items()}
        for confirmed in given_up:
            confirmed.errback(reason)

    def fail(self, reason: AMQPError) -> None:
        """Give up all of them for good.

        Args:
            reason: Why the connection ended.
        """
        self.give_up(reason)
        self._waiting.clear()
