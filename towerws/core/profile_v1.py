"""Profile "towerws.v1": events with positions, so that a client that comes back misses nothing."""

from collections.abc import Callable

from towerws.core import wire_v1
from towerws.core.archive import Archive
from towerws.core.deadlines import Clock, Timer
from towerws.core.history import History
from towerws.core.profile import Told
from towerws.core.replaying import ReplayCounters, ReplayingClient
from towerws.core.resuming import Resumption
from towerws.core.wire import Request


class V1Profile:
    """Speaks to one client; see `towerws.core.profile.Profile`."""

    __slots__ = (
        "_archive", "_client", "_clock", "_counters", "_heartbeat", "_history", "_resumption",
        "_since", "_timer", "_told",
    )  # fmt: skip

    def __init__(
        self,
        client: ReplayingClient,
        told: Told,
        history: History,
        archive: Archive | None,
        counters: ReplayCounters,
        *,
        heartbeat: float,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            client: Takes the frames.
            told: What it was told.
            history: What was published.
            archive: What is behind that, if anything.
            counters: Count replays.
            heartbeat: Seconds from one sign of life to the next.
            clock: Tells the time.
        """
        self._client = client
        self._told = told
        self._history = history
        self._archive = archive
        self._counters = counters
        self._heartbeat = heartbeat
        self._clock = clock
        self._timer: Timer | None = None
        # From where to replay, from the request until the subscription is in force.
        self._since: str | None = None
        self._resumption: Resumption | None = None

    def greet(self, user: int | str | None) -> None:
        """See `Profile`; and begin to give signs of life."""
        self._client.send(wire_v1.accept(user, self._history.position, self._heartbeat))
        self._timer = self._clock.call_later(self._heartbeat, self._beat)

    def since(self, request: Request) -> str | None:
        """See `Profile`."""
        return wire_v1.read_since(request.since)

    def asked(self, since: str | None) -> None:
        """See `Profile`; what comes live before the replay is held back."""
        self._since = since
        if since is not None:
            self._client.hold()

    def in_force(self, done: Callable[[], None]) -> None:
        """See `Profile`."""
        since, self._since = self._since, None
        if since is not None:
            resumption = self._resumption = Resumption(
                self._client,
                self._history,
                self._archive,
                self._clock,
                self._counters,
                groups_of=self._told.groups_of,
                answer=self._answer,
                gap=self._tell_gap,
                done=lambda: self._is_live(done),
            )
            resumption.begin(since)
        elif self._resumption is None:
            self._tell()
            done()
        elif self._resumption.is_answered:
            # Groups were withdrawn meanwhile. The replay goes on without them.
            self._tell()

    def gap(self, why: str) -> None:
        """See `Profile`; a replay ends with it, for what it reads is from before."""
        if self._resumption is not None:
            self._resumption.interrupt(why)
        elif self._told.groups and self._since is None:
            self._tell_gap(why)

    def announce(self, after_ms: int) -> None:
        """See `Profile`."""
        self._client.send(wire_v1.reconnect(after_ms))

    def drained(self) -> None:
        """See `Profile`."""
        if self._resumption is not None:
            self._resumption.drained()

    def end(self) -> None:
        """See `Profile`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._resumption is not None:
            self._resumption.end()
            self._resumption = None

    def _answer(self, replayed: int | None) -> None:
        groups, position = self._told.update(), self._history.position
        self._client.send(wire_v1.resumed(*groups, position, replayed=replayed))

    def _tell_gap(self, why: str) -> None:
        self._client.send(wire_v1.gap(why, self._history.position))

    def _tell(self) -> None:
        self._client.send(wire_v1.subscribed(*self._told.update(), self._history.position))

    def _is_live(self, done: Callable[[], None]) -> None:
        self._resumption = None
        done()

    def _beat(self) -> None:
        self._timer = self._clock.call_later(self._heartbeat, self._beat)
        self._client.send(wire_v1.heartbeat(self._position()))

    def _position(self) -> str:
        if self._since is not None:
            return self._since
        if self._resumption is not None:
            return self._resumption.position
        return self._history.position
