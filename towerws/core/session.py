"""One client's side of the wire protocol: messages in, frames and subscriptions out.

A session takes the messages of its client one after the other: each is understood, checked for
access, put into force and answered before the next one is begun, however long an access check or
the broker takes. It is the same over any transport, and it needs none to be tested.
"""

import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from towerws.core import wire
from towerws.core.groups import Group
from towerws.core.hub import Connection, Hub
from towerws.core.metrics import Metrics
from towerws.core.rate import TokenBucket
from towerws.core.subscriptions import Change


class Identity(Protocol):
    """Who is connected, and what they may hear."""

    @property
    def user(self) -> int | str | None:
        """The user's id, None for an anonymous one."""

    @property
    def csrf_token(self) -> str | None:
        """What each frame's ``xrftoken`` must be; None if no token was given at the handshake."""

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group]], None]
    ) -> None:
        """Find out which of these groups the user may not hear.

        Args:
            groups: What the client asks for.
            answer: To be called once, now or later, with the refused ones.
        """


class Client(Connection, Protocol):
    """What a session sees of its client."""

    def send(self, payload: bytes) -> None:
        """Send a text frame behind everything that was sent before it."""

    def close(self, code: wire.CloseCode, reason: str) -> None:
        """Close the connection; what the client has not taken so far may be lost."""

    def close_soon(self, code: wire.CloseCode, reason: str) -> None:
        """Close within some seconds, each client at a time of its own.

        So many clients do not all come back at once.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one client may ask for.

    Attributes:
        groups: Groups of one connection. The largest page of AWX's interface has some ten; a
            dashboard of a hundred jobs has a hundred.
        pending: Messages that may wait for their turn. A person who changes pages while an
            access check takes its time makes a handful.
        rate: Messages per second in the long run. A person who hurries through pages makes two.
        burst: Messages at once.
        strikes: How often in a row a client may ask for too many groups, or too often, before it
            is closed.
    """

    groups: int = 1000
    pending: int = 16
    rate: int = 20
    burst: int = 200
    strikes: int = 10


class SessionCounters:
    """What sessions count, shared by all of them."""

    def __init__(self, metrics: Metrics) -> None:
        """Register the counters.

        Args:
            metrics: Where they are shown.
        """
        name, description = "towerws_frames_total", "Messages of clients, by what became of them."
        self.subscribed = metrics.counter(name, description, result="subscribed")
        self.ignored = metrics.counter(name, description, result="ignored")
        self.not_understood = metrics.counter(name, description, result="not_understood")
        self.bad_token = metrics.counter(name, description, result="bad_token")
        self.over_limit = metrics.counter(name, description, result="over_limit")
        self.denied = metrics.counter(
            "towerws_groups_denied_total", "Groups that were asked for and refused."
        )


class Session:
    """The protocol state of one connected client."""

    __slots__ = (
        "_bucket", "_busy", "_client", "_counters", "_ended", "_hub", "_identity", "_limits",
        "_promised", "_seconds", "_strikes", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        client: Client,
        identity: Identity | None,
        hub: Hub,
        limits: Limits,
        counters: SessionCounters,
        *,
        seconds: Callable[[], float],
    ) -> None:
        """Prepare a session; nothing happens before `start`.

        Args:
            client: Takes the frames.
            identity: Who it is; None for one who could not be authenticated.
            hub: Takes the subscriptions.
            limits: How much the client may ask for.
            counters: Count what became of its messages.
            seconds: The clock.
        """
        self._client = client
        self._identity = identity
        self._hub = hub
        self._limits = limits
        self._counters = counters
        self._seconds = seconds
        self._bucket = TokenBucket(limits.rate, limits.burst, seconds())
        # A few at most, and none most of the time: an empty deque would take 760 bytes.
        self._waiting: tuple[tuple[bytes, bool], ...] = ()
        self._busy = False
        self._ended = False
        self._promised = False
        self._strikes = 0

    def start(self) -> None:
        """Greet the client, or turn it away."""
        if self._identity is None:
            self._client.send(wire.refuse())
            self._close(wire.CloseCode.NORMAL, "not authenticated")
        else:
            self._client.send(wire.accept(self._identity.user))

    def received(self, payload: bytes, *, is_binary: bool) -> None:
        """Take a message of the client.

        Args:
            payload: The message.
            is_binary: True if it came as a binary message.
        """
        if self._ended:
            return
        if not self._bucket.take(self._seconds()):
            self._over_limit(f"more than {self._limits.rate} frames a second")
        elif len(self._waiting) >= self._limits.pending:
            # No strike: that answers take long may be the broker's fault, not the client's.
            self._counters.over_limit.add()
            sentence = f"more than {self._limits.pending} frames wait for their answer"
            self._client.send(wire.error(sentence))
        else:
            self._waiting += ((payload, is_binary),)
            self._advance()

    def gap(self) -> None:
        """Take note that events may have been missed.

        This profile has no frame to say so: the client is closed, so that it comes back and
        fetches anew. One that was never told that a subscription is in force missed nothing.
        """
        if self._promised and not self._ended:
            self._client.close_soon(wire.CloseCode.SERVICE_RESTART, "events may have been missed")

    def end(self) -> None:
        """Forget everything: the client is gone. Answers that are still to come are dropped."""
        self._ended = True
        self._waiting = ()
        self._hub.leave(self._client)

    def _advance(self) -> None:
        while self._waiting and not self._busy:
            (payload, is_binary), *waiting = self._waiting
            self._waiting = tuple(waiting)
            try:
                request = wire.parse(payload, is_binary=is_binary)
            except wire.FrameError as error:
                self._counters.not_understood.add()
                self._client.send(wire.error(str(error)))
            else:
                self._take(request)

    def _take(self, request: wire.Request) -> None:
        assert self._identity is not None, "a client without identity is closed at the start"
        if not _same_token(self._identity.csrf_token, request.token):
            self._counters.bad_token.add()
            self._client.send(wire.error(wire.ACCESS_DENIED))
        elif request.groups is None:
            self._counters.ignored.add()
        elif len(request.groups) > self._limits.groups:
            asked, allowed = len(request.groups), self._limits.groups
            self._over_limit(f"{asked} groups are too many: {allowed} are allowed")
        else:
            self._busy = True
            self._identity.check_access(request.groups, partial(self._checked, request.groups))

    def _checked(self, groups: Sequence[Group], denied: Collection[Group]) -> None:
        if self._ended:
            return
        denied = set(denied)
        for group in groups:
            if group in denied:
                self._counters.denied.add()
                self._client.send(wire.object_denied(group))
        # A refusal may have been one frame too many for a client that reads slowly.
        if not self._ended:
            names = [group.name for group in groups if group not in denied]
            self._hub.subscribe(self._client, names, self._in_force)

    def _in_force(self, change: Change) -> None:
        self._counters.subscribed.add()
        self._promised = bool(change.current)
        self._strikes = 0
        self._client.send(wire.subscribed(change.current, change.left, change.joined))
        self._busy = False
        self._advance()

    def _over_limit(self, sentence: str) -> None:
        self._counters.over_limit.add()
        self._strikes += 1
        self._client.send(wire.error(sentence))
        if self._strikes >= self._limits.strikes:
            self._close(wire.CloseCode.POLICY, "over the limits again and again")

    def _close(self, code: wire.CloseCode, reason: str) -> None:
        self.end()
        self._client.close(code, reason)


def _same_token(expected: str | None, given: object) -> bool:
    if expected is None:
        return True
    # In bytes, because compare_digest takes text only if it is ASCII; a lone surrogate, which
    # JSON can spell and UTF-8 cannot, must not raise either.
    return isinstance(given, str) and hmac.compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )
