"""One client's side of the wire protocol: messages in, frames and subscriptions out.

A session takes the messages of its client one after the other: each is understood, checked for
access, put into force and answered before the next one is begun, however long an access check or
the broker takes. Looking again at what the client may hear takes its turn among them; what is
revoked does not wait. It is the same over any transport, and it needs none to be tested.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from towerws.core import wire
from towerws.core.conduct import Conduct
from towerws.core.deadlines import Clock, Deadlines
from towerws.core.groups import Group, TooManyGroups, split_name
from towerws.core.hub import Hub
from towerws.core.identity import Identity, is_same_token
from towerws.core.limits import Limits, SessionCounters
from towerws.core.patterns import Patterns
from towerws.core.profile import Client, Profile, Told
from towerws.core.subscriptions import Change


class Session:
    """The protocol state of one connected client."""

    __slots__ = (
        "_awaits", "_busy", "_checking", "_client", "_clock", "_conduct", "_counters", "_deadlines",
        "_ended", "_hub", "_identity", "_limits", "_profile", "_renewals", "_revoked", "_told",
        "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        client: Client,
        identity: Identity | None,
        hub: Hub,
        limits: Limits,
        counters: SessionCounters,
        *,
        speak: Callable[[Told], Profile],
        clock: Clock,
    ) -> None:
        """Prepare a session; nothing happens before `start`.

        Args:
            client: Takes the frames.
            identity: Who it is; None for one who could not be authenticated.
            hub: Takes the subscriptions.
            limits: How much the client may ask for.
            counters: Count what became of its messages.
            speak: Makes the profile of the protocol that the client speaks.
            clock: Tells the time.
        """
        self._client = client
        self._identity = identity
        self._hub = hub
        self._limits = limits
        self._counters = counters
        self._clock = clock
        user = None if identity is None else identity.user
        self._conduct = Conduct(limits, counters, clock, user)
        # A few at most, and none most of the time: an empty deque would take 760 bytes.
        self._waiting: tuple[Callable[[], None], ...] = ()
        self._awaits = self._busy = self._checking = self._ended = False
        self._renewals = 0
        self._told = Told(partial(hub.groups_of, client))
        self._profile = speak(self._told)
        # What was revoked while an access check was on its way, which may not know.
        self._revoked: tuple[Patterns, ...] = ()
        self._deadlines = Deadlines(clock, self)

    def start(self) -> None:
        """Greet the client, or turn it away."""
        if self._identity is None:
            self._client.send(wire.refuse())
            self._close(wire.CloseCode.NORMAL, "not authenticated")
            return
        self._profile.greet(self._identity.user)
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
        if not self._conduct.may_speak():
            self._over_limit("frames", f"more than {self._limits.rate} frames a second")
        elif len(self._waiting) >= self._limits.pending:
            # No strike: that answers take long may be the broker's fault, not the client's.
            self._conduct.refused("pending")
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
        self._conduct.note("subscribe_timeout")
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
        return self._withdraw({name for name in self._told.groups_of() if name in groups})

    def gap(self, why: str) -> None:
        """Take note that events may have been missed.

        Args:
            why: One sentence, for people.
        """
        if not self._ended:
            self._profile.gap(why)

    def announce(self, after_ms: int) -> None:
        """Tell the client that it is about to be closed.

        Args:
            after_ms: Milliseconds after which it is to come back.
        """
        if not self._ended:
            self._profile.announce(after_ms)

    def drained(self) -> None:
        """Go on with what waited until everything that was sent has left."""
        if not self._ended:
            self._profile.drained()

    def end(self) -> None:
        """Forget everything: the client is gone. Answers that are still to come are dropped."""
        self._ended = True
        self._waiting = ()
        self._deadlines.end()
        self._profile.end()
        self._hub.leave(self._client)

    def _advance(self) -> None:
        while self._waiting and not self._busy:
            step, *waiting = self._waiting
            self._waiting = tuple(waiting)
            step()

    def _take(self, payload: bytes, *, is_binary: bool) -> None:
        try:
            request = wire.parse(payload, is_binary=is_binary, max_groups=self._limits.groups)
            since = self._profile.since(request)
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
            self._check(names, partial(self._checked, request.groups, since))

    def _check(self, names: list[str], then: Callable[[Collection[Group] | None], None]) -> None:
        self._busy = self._checking = True
        # However a client divides a name, whoever decides by one half sees the same halves.
        self._known.check_access([Group(*split_name(name)) for name in names], then)

    def _checked(
        self, groups: Sequence[Group], since: str | None, denied: Collection[Group] | None
    ) -> None:
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
            self._profile.asked(since)
            self._subscribe({group.name for group in groups} - refused)

    def _in_force(self, _change: Change) -> None:
        self._awaits = False
        self._counters.subscribed.add()
        self._conduct.forgive()
        self._profile.in_force(self._answered)

    def _answered(self) -> None:
        self._busy = self._awaits  # a replay may end while a withdrawal waits for the broker
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
        self._check(sorted(self._told.groups_of()), self._rechecked)

    def _rechecked(self, denied: Collection[Group] | None) -> None:
        if self._ended:
            return
        self._busy = self._checking = False
        # What was revoked meanwhile is withdrawn already. What cannot be found out stays.
        self._revoked = ()
        lost = {group.name for group in denied or ()} & self._told.groups_of()
        if not self._withdraw(lost) and self._told.groups_of() != self._told.groups:
            self._subscribe(self._told.groups_of())
        self._advance()

    def _withdraw(self, names: Collection[str]) -> bool:
        """Leave groups, and tell the client; False if there are none."""
        if not names:
            return False
        self._counters.withdrawn.add(len(names))
        remaining = self._told.groups_of() - frozenset(names)
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
        self._awaits = self._busy = True
        self._hub.subscribe(self._client, names, self._in_force)

    def _plan(self) -> None:
        """Decide when to look again at what the client may hear."""
        times = [] if self._known.expires is None else [self._known.expires]
        if self._limits.recheck_every:
            times.append(self._clock.seconds() + self._limits.recheck_every)
        self._deadlines.look_again(min(times, default=None))

    def _over_limit(self, limit: str, sentence: str) -> None:
        is_enough = self._conduct.strike(limit)
        self._client.send(wire.error(sentence))
        if is_enough:
            self._close(wire.CloseCode.POLICY, "over the limits again and again")

    @property
    def _known(self) -> Identity:
        assert self._identity is not None, "a client without identity is closed at the start"
        return self._identity

    def _close(self, code: wire.CloseCode, reason: str) -> None:
        self.end()
        self._client.close(code, reason)
