"""One client's side of the wire protocol: messages in, frames and subscriptions out.

A session takes the messages of its client one after the other: each is understood, checked for
access, put into force and answered before the next one is begun, however long an access check or
the broker takes. Looking again at what the client may hear takes its turn among them; what is
revoked does not wait. It is the same over any transport, and it needs none to be tested.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Protocol

from towerws.core import wire
from towerws.core.deadlines import Clock, Deadlines
from towerws.core.groups import Group, TooManyGroups, split_name
from towerws.core.hub import Connection, Hub
from towerws.core.identity import Identity, is_same_token
from towerws.core.limits import Limits, SessionCounters
from towerws.core.patterns import Patterns
from towerws.core.rate import TokenBucket
from towerws.core.subscriptions import Change


class Client(Connection, Protocol):
    """What a session sees of its client."""

    def send(self, payload: bytes) -> None:
        """Send a text frame behind everything that was sent before it."""

    def close(self, code: wire.CloseCode, reason: str) -> None:
        """Close the connection; what the client has not taken so far may be lost."""

    def close_soon(self, code: wire.CloseCode, reason: str) -> None:
        """Close within some seconds, at a random time, lest all clients come back at once."""


class Session:
    """The protocol state of one connected client."""

    __slots__ = (
        "_bucket", "_busy", "_checking", "_client", "_clock", "_counters", "_deadlines", "_ended",
        "_hub", "_identity", "_limits", "_renewals", "_revoked", "_strikes", "_told", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        client: Client,
        identity: Identity | None,
        hub: Hub,
        limits: Limits,
        counters: SessionCounters,
        *,
        clock: Clock,
    ) -> None:
        """Prepare a session; nothing happens before `start`.

        Args:
            client: Takes the frames.
            identity: Who it is; None for one who could not be authenticated.
            hub: Takes the subscriptions.
            limits: How much the client may ask for.
            counters: Count what became of its messages.
            clock: Tells the time.
        """
        self._client = client
        self._identity = identity
        self._hub = hub
        self._limits = limits
        self._counters = counters
        self._clock = clock
        self._bucket = TokenBucket(limits.rate, limits.burst, clock.seconds())
        # A few at most, and none most of the time: an empty deque would take 760 bytes.
        self._waiting: tuple[Callable[[], None], ...] = ()
        self._busy = self._checking = self._ended = False
        self._renewals = self._strikes = 0
        # The groups that the client was told that it is in.
        self._told: frozenset[str] = frozenset()
        # What was revoked while an access check was on its way, which may not know.
        self._revoked: tuple[Patterns, ...] = ()
        self._deadlines = Deadlines(clock, self)

    def start(self) -> None:
        """Greet the client, or turn it away."""
        if self._identity is None:
            self._client.send(wire.refuse())
            self._close(wire.CloseCode.NORMAL, "not authenticated")
            return
        self._client.send(wire.accept(self._identity.user))
        # The greeting may have been one frame too many.
        if not self._ended:
            self._deadlines.expect_subscription(self._limits.subscribe_within)
            self._plan()

    def received(self, payload: bytes, *, is_binary: bool) -> None:
        """Take a message of the client.

        Args:
            payload: The message.
            is_binary: True if it came as a binary message.
        """
        if self._ended:
            return
        if not self._bucket.take(self._clock.seconds()):
            self._over_limit("frames", f"more than {self._limits.rate} frames a second")
        elif len(self._waiting) >= self._limits.pending:
            # No strike: that answers take long may be the broker's fault, not the client's.
            self._counters.over_limit.add()
            self._note("pending")
            sentence = f"more than {self._limits.pending} frames wait for their answer"
            self._client.send(wire.error(sentence))
        else:
            self._waiting += (partial(self._take, payload, is_binary=is_binary),)
            self._advance()

    def recheck(self) -> None:
        """Find out whether the client may still be here, and hear what it hears.

        The former does not wait for its turn, since what goes before may wait for the broker.
        """
        self._renewals += 1
        if self._renewals == 1 and not self._ended:
            self._known.renew(self._renewed)

    def overdue(self) -> None:
        """Close: the client has not subscribed in time."""
        self._note("subscribe_timeout")
        self._close(wire.CloseCode.POLICY, "no subscription in time")

    def revoke(self, groups: Patterns | None) -> bool:
        """Take access away, at once.

        Args:
            groups: Which groups the client may not hear any more; None to close it.

        Returns:
            Whether it had something to lose.
        """
        if self._ended:
            return False
        if groups is None:
            self._close(wire.CloseCode.POLICY, "access was revoked")
            return True
        if self._checking:
            self._revoked += (groups,)
        return self._withdraw({name for name in self._groups() if name in groups})

    def gap(self) -> None:
        """Take note that events may have been missed.

        This profile has no frame to say so: the client is closed, so that it comes back and
        fetches anew. One that was never told that a subscription is in force missed nothing.
        """
        if self._told and not self._ended:
            self._client.close_soon(wire.CloseCode.SERVICE_RESTART, "events may have been missed")

    def end(self) -> None:
        """Forget everything: the client is gone. Answers that are still to come are dropped."""
        self._ended = True
        self._waiting = ()
        self._deadlines.end()
        self._hub.leave(self._client)

    def _advance(self) -> None:
        while self._waiting and not self._busy:
            step, *waiting = self._waiting
            self._waiting = tuple(waiting)
            step()

    def _take(self, payload: bytes, *, is_binary: bool) -> None:
        try:
            request = wire.parse(payload, is_binary=is_binary, max_groups=self._limits.groups)
        except TooManyGroups as error:
            self._over_limit("groups", str(error))
            return
        except wire.FrameError as error:
            self._counters.not_understood.add()
            self._client.send(wire.error(str(error)))
            return
        if not is_same_token(self._known.csrf_token, request.token):
            self._counters.bad_token.add()
            self._client.send(wire.error(wire.ACCESS_DENIED))
        elif request.groups is None:
            self._counters.ignored.add()
        else:
            self._deadlines.subscribed()
            names = [group.name for group in request.groups]
            self._check(names, partial(self._checked, request.groups))

    def _check(self, names: list[str], then: Callable[[Collection[Group] | None], None]) -> None:
        self._busy = self._checking = True
        # However a client divides a name, whoever decides by one half sees the same halves.
        self._known.check_access([Group(*split_name(name)) for name in names], then)

    def _checked(self, groups: Sequence[Group], denied: Collection[Group] | None) -> None:
        if self._ended:
            return
        # What cannot be found out is not allowed.
        refused = {group.name for group in (groups if denied is None else denied)}
        for patterns in self._revoked:
            refused.update(group.name for group in groups if group.name in patterns)
        self._checking, self._revoked = False, ()
        self._counters.denied.add(len(refused))
        for group in groups:
            if group.name in refused:
                self._client.send(wire.object_denied(group))
        # A refusal may have been one frame too many for a client that reads slowly.
        if not self._ended:
            self._subscribe({group.name for group in groups} - refused)

    def _in_force(self, change: Change) -> None:
        self._counters.subscribed.add()
        self._strikes = 0
        told, self._told = self._told, change.current
        # Not what this change changed: another one may have gone before it unsaid.
        self._client.send(
            wire.subscribed(change.current, told - change.current, change.current - told)
        )
        self._busy = False
        self._advance()

    def _renewed(self, valid: bool) -> None:
        if self._ended:
            return
        renewals, self._renewals = self._renewals, 0
        expires = self._known.expires
        if not valid or (expires is not None and expires <= self._clock.seconds()):
            self._close(wire.CloseCode.EXPIRED, "the credentials are no longer valid")
            return
        if renewals > 1:
            # The reason to ask once more may have come behind this answer.
            self.recheck()
        else:
            self._plan()
            if self._check_again not in self._waiting:  # nothing else goes while the broker is away
                self._waiting += (self._check_again,)
            self._advance()

    def _check_again(self) -> None:
        self._check(sorted(self._groups()), self._rechecked)

    def _rechecked(self, denied: Collection[Group] | None) -> None:
        if self._ended:
            return
        self._busy = self._checking = False
        # What was revoked meanwhile is withdrawn already. What cannot be found out stays.
        self._revoked = ()
        lost = {group.name for group in denied or ()} & self._groups()
        if not self._withdraw(lost) and self._groups() != self._told:
            self._subscribe(self._groups())
        self._advance()

    def _withdraw(self, names: Collection[str]) -> bool:
        """Leave groups, and tell the client; False if there are none."""
        if not names:
            return False
        self._counters.withdrawn.add(len(names))
        remaining = self._groups() - frozenset(names)
        for name in sorted(names):
            self._client.send(wire.object_denied(Group(*split_name(name))))
        # Those frames may have been some too many.
        if not self._ended and self._checking:
            # The answer to what is being checked will tell of this as well.
            self._hub.subscribe(self._client, remaining, lambda _: None)
        elif not self._ended:
            self._subscribe(remaining)
        return True

    def _subscribe(self, names: Collection[str]) -> None:
        self._busy = True
        self._hub.subscribe(self._client, names, self._in_force)

    def _groups(self) -> frozenset[str]:
        return self._hub.groups_of(self._client)

    def _plan(self) -> None:
        """Decide when to look again at what the client may hear."""
        times = [] if self._known.expires is None else [self._known.expires]
        if self._limits.recheck_every:
            times.append(self._clock.seconds() + self._limits.recheck_every)
        self._deadlines.look_again(min(times, default=None))

    def _over_limit(self, limit: str, sentence: str) -> None:
        self._counters.over_limit.add()
        self._note(limit)
        self._strikes += 1
        self._client.send(wire.error(sentence))
        if self._strikes >= self._limits.strikes:
            self._close(wire.CloseCode.POLICY, "over the limits again and again")

    def _note(self, limit: str) -> None:
        self._counters.excesses.note(limit, f"user {self._known.user}")

    @property
    def _known(self) -> Identity:
        assert self._identity is not None, "a client without identity is closed at the start"
        return self._identity

    def _close(self, code: wire.CloseCode, reason: str) -> None:
        self.end()
        self._client.close(code, reason)
