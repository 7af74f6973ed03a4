"""Tests of `towerws.auth.cache`, by a clock that stands still."""

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.cache import SingleFlight, digest


class _Fetches:
    """A source whose answers come when the test says so.

    Attributes:
        pending: The fetches that are not answered yet, in the order in which they began.
        cancelled: How many were cancelled.
    """

    def __init__(self) -> None:
        self.pending: list[Deferred[str]] = []
        self.cancelled = 0

    def __call__(self) -> Deferred[str]:
        """Begin one."""
        fetch: Deferred[str] = Deferred(self._cancel)
        self.pending.append(fetch)
        return fetch

    def answer(self, value: str) -> None:
        """Let the oldest one bring a value."""
        self.pending.pop(0).callback(value)

    def _cancel(self, fetch: Deferred[str]) -> None:
        self.pending.remove(fetch)
        self.cancelled += 1


def _ten_seconds(value: str) -> float:
    return 10.0


class SingleFlightTests(SynchronousTestCase):
    """One fetch for all who ask at the same time, and its value for a while."""

    def setUp(self) -> None:
        """Begin empty, with room for three."""
        self.clock = Clock()
        self.cache: SingleFlight[str] = SingleFlight(self.clock, max_entries=3)
        self.fetches = _Fetches()

    def _get(
        self, key: str = "k", lifetime: Callable[[str], float] = _ten_seconds
    ) -> Deferred[str]:
        return self.cache.get(key, self.fetches, lifetime)

    def _refresh(self) -> Deferred[str]:
        return self.cache.refresh("k", self.fetches, _ten_seconds)

    def test_shared(self) -> None:
        """All who ask while a fetch is under way get what it brings; other keys have their own."""
        waiting = [self._get(), self._get(), self._get("other")]
        self.assertEqual(len(self.fetches.pending), 2)
        self.fetches.answer("a")
        self.fetches.answer("b")
        self.assertEqual([self.successResultOf(each) for each in waiting], ["a", "a", "b"])

    def test_kept_for_its_lifetime(self) -> None:
        """A value is given at once until its time is over."""
        self._get()
        self.fetches.answer("a")
        self.clock.advance(9.9)
        self.assertEqual(self.successResultOf(self._get()), "a")
        self.clock.advance(0.1)
        self.assertNoResult(self._get())
        self.assertEqual(len(self.fetches.pending), 1)

    def test_lifetime_of_nothing(self) -> None:
        """A value that is not to be kept reaches those who wait, and nobody else."""
        lifetimes: tuple[Callable[[str], float], ...] = (lambda _: 0.0, lambda _: -1.0)
        for lifetime in lifetimes:
            waiting = [self._get(lifetime=lifetime) for _ in "ab"]
            self.fetches.answer("a")
            self.assertEqual([self.successResultOf(each) for each in waiting], ["a", "a"])
            self.assertEqual(len(self.cache), 0)

    def test_fetched_at_once(self) -> None:
        """A fetch that has its value at once is no different."""
        got = self.cache.get("k", lambda: succeed("a"), _ten_seconds)
        self.assertEqual(self.successResultOf(got), "a")
        self.assertEqual(self.successResultOf(self._get()), "a")

    def test_failure(self) -> None:
        """A failure reaches all who wait, and the next one asks anew."""
        waiting = [self._get(), self._get()]
        self.fetches.pending.pop().errback(ZeroDivisionError())
        for each in waiting:
            self.failureResultOf(each, ZeroDivisionError)
        self.assertNoResult(self._get())
        self.assertEqual(len(self.fetches.pending), 1)

    def test_failing_lifetime(self) -> None:
        """Nobody waits forever because a lifetime could not be told."""
        got = self._get(lifetime=lambda _: 1 / 0)
        self.fetches.answer("a")
        self.failureResultOf(got, ZeroDivisionError)

    def test_cancelled_alone(self) -> None:
        """Who loses interest takes nothing from the others."""
        one, other = self._get(), self._get()
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.fetches.answer("a")
        self.assertEqual(self.successResultOf(other), "a")

    def test_all_cancelled(self) -> None:
        """When nobody waits any more the fetch is cancelled; the next one asks anew."""
        one, other = self._get(), self._get()
        one.cancel()
        self.assertEqual(self.fetches.cancelled, 0)
        other.cancel()
        self.assertEqual(self.fetches.cancelled, 1)
        for each in (one, other):
            self.failureResultOf(each, CancelledError)
        again = self._get()
        self.fetches.answer("a")
        self.assertEqual(self.successResultOf(again), "a")

    def test_cancelled_by_another(self) -> None:
        """One who is told may make another lose interest in the same moment."""
        one, other = self._get(), self._get()
        one.addCallback(lambda _: other.cancel())
        self.fetches.answer("a")
        self.failureResultOf(other, CancelledError)
        self.assertEqual(self.successResultOf(self._get()), "a")

    def test_refresh(self) -> None:
        """A refresh asks although a value is kept, and puts the new one in its place."""
        self._get()
        self.fetches.answer("old")
        refreshed = self._refresh()
        self.assertNoResult(refreshed)
        self.fetches.answer("new")
        self.assertEqual(self.successResultOf(refreshed), "new")
        self.assertEqual(self.successResultOf(self._get()), "new")

    def test_refreshes_share(self) -> None:
        """All refreshes of one moment, and those who ask meanwhile, share one fetch."""
        waiting = [self._refresh(), self._refresh(), self._get()]
        self.assertEqual(len(self.fetches.pending), 1)
        self.fetches.answer("a")
        self.assertEqual([self.successResultOf(each) for each in waiting], ["a", "a", "a"])

    def test_failed_refresh(self) -> None:
        """After a refresh that failed, the value of before is not given any more."""
        self._get()
        self.fetches.answer("old")
        refreshed = self._refresh()
        self.fetches.pending.pop().errback(ZeroDivisionError())
        self.failureResultOf(refreshed, ZeroDivisionError)
        self.assertNoResult(self._get())

    def test_discard(self) -> None:
        """Unwanted values go, others stay."""
        for key in ("good", "bad"):
            self._get(key)
            self.fetches.answer(key)
        self.cache.discard(lambda value: value == "bad")
        self.assertEqual(self.successResultOf(self._get("good")), "good")
        self.assertNoResult(self._get("bad"))

    def test_discard_in_flight(self) -> None:
        """What was asked before a discard and comes after it reaches nobody: it is asked again."""
        waiting = [self._get(), self._get()]
        self.cache.discard(lambda value: value == "bad")
        waiting.append(self._get())
        self.fetches.answer("bad")
        for each in waiting:
            self.assertNoResult(each)
        self.assertEqual(len(self.fetches.pending), 1)
        self.fetches.answer("good")
        self.assertEqual([self.successResultOf(each) for each in waiting], ["good"] * 3)
        self.assertEqual(self.successResultOf(self._get()), "good")

    def test_wanted_in_flight(self) -> None:
        """A discard that is not about what comes changes nothing."""
        got = self._get()
        self.cache.discard(lambda value: value == "bad")
        self.fetches.answer("good")
        self.assertEqual(self.successResultOf(got), "good")
        self.assertEqual(self.successResultOf(self._get()), "good")

    def test_discarded_only_once(self) -> None:
        """What is asked after a discard may be what it was about: it is true again."""
        got = self._get()
        self.cache.clear()
        self.fetches.answer("a")
        self.fetches.answer("a")
        self.assertEqual(self.successResultOf(got), "a")

    def test_bounded(self) -> None:
        """What was fetched first makes room for what comes, and is counted."""
        for key in "abcd":
            self._get(key)
            self.fetches.answer(key)
        self.assertEqual((len(self.cache), self.cache.evictions.value), (3, 1))
        self.assertNoResult(self._get("a"))
        self.assertEqual(self.successResultOf(self._get("b")), "b")

    def test_over_is_not_evicted(self) -> None:
        """Values whose time is over are cleared away without being counted."""
        for key in "abc":
            self._get(key)
            self.fetches.answer(key)
        self.clock.advance(10)
        self._get("d")
        self.fetches.answer("d")
        self.assertEqual((len(self.cache), self.cache.evictions.value), (1, 0))

    def test_no_timers(self) -> None:
        """Nothing is left in the reactor for a value that is kept."""
        self._get()
        self.fetches.answer("a")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DigestTests(SynchronousTestCase):
    """Keys that stand for secrets."""

    def test_parts(self) -> None:
        """Other parts, or the same divided otherwise, are another key."""
        keys = {digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", ""), digest()}
        self.assertEqual(len(keys), 5)
        self.assertEqual(digest("ab", "c"), digest("ab", "c"))

    def test_any_text(self) -> None:
        """Text that UTF-8 cannot spell has a key too."""
        self.assertNotEqual(digest("\ud800"), digest("\udfff"))
