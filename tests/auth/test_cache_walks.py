"""`towerws.auth.cache`: what holds whatever happens, in whatever order."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import WALK
from towerws.auth.cache import SingleFlight


class _Walk(RuleBasedStateMachine):
    """Questions, answers, losses of interest and discards in any order.

    The values tell at which moment their fetch began.
    """

    keys = st.sampled_from("ab")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cache: SingleFlight[int] = SingleFlight(self.clock, max_entries=1)
        self.moment = self.discarded = 0
        self.outdated = False
        self.flying: list[tuple[str, int, Deferred[int]]] = []
        self.waiting: list[Deferred[None]] = []

    def _fetch(self, key: str) -> Deferred[int]:
        self.moment += 1
        fetch: Deferred[int] = Deferred(lambda _: self.flying.remove(began))
        began = (key, self.moment, fetch)
        self.flying.append(began)
        return fetch

    def _check(self, value: int) -> None:
        self.outdated = self.outdated or value <= self.discarded

    def _ask(self, ask: Callable[..., Deferred[int]], key: str) -> Deferred[None]:
        asked = ask(key, lambda: self._fetch(key), lambda _: 5.0)
        checked = asked.addCallback(self._check)
        if not checked.called:
            self.waiting.append(checked)
        return checked

    @rule(key=keys)
    def get(self, key: str) -> None:
        """Somebody asks."""
        self._ask(self.cache.get, key)

    @rule(key=keys)
    def refresh(self, key: str) -> None:
        """Somebody wants to know how it is now."""
        assert not self._ask(self.cache.refresh, key).called

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), fails=st.booleans())
    def land(self, data: st.DataObject, fails: bool) -> None:
        """A fetch ends."""
        flight = data.draw(st.sampled_from(self.flying))
        self.flying.remove(flight)
        _, began, fetch = flight
        if fails:
            fetch.errback(ZeroDivisionError())
        else:
            fetch.callback(began)
        for each in self.waiting:
            if each.called:
                each.addErrback(lambda reason: reason.trap(ZeroDivisionError))
        self.waiting = [each for each in self.waiting if not each.called]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def lose_interest(self, data: st.DataObject) -> None:
        """Somebody does not wait any more."""
        waiter = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(waiter)
        waiter.addErrback(lambda reason: reason.trap(CancelledError))
        waiter.cancel()

    @rule()
    def discard(self) -> None:
        """All that was true so far is not any more."""
        self.discarded = so_far = self.moment
        self.cache.discard(lambda value: value <= so_far)

    @rule(seconds=st.sampled_from([1, 5]))
    def pass_time(self, seconds: int) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def tidy(self) -> None:
        """Nobody was told what was discarded; there is a fetch only where somebody waits."""
        assert not self.outdated
        keys = [key for key, _, _ in self.flying]
        assert len(keys) == len(set(keys))
        assert bool(self.flying) == bool(self.waiting)
        assert len(self.cache) <= 1
        assert not self.clock.getDelayedCalls()


class SingleFlightPropertyTests(SynchronousTestCase):
    """What holds whatever happens."""

    def test_walks(self) -> None:
        """Nobody is told what was discarded, nobody waits in vain, and nothing is fetched twice."""
        run_state_machine_as_test(_Walk, settings=WALK)
